"""Where the gradient stops."""
