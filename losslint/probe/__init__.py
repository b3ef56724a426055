"""Running losses: what to run, in which process, and what a run says of static findings. Imports no torch."""
