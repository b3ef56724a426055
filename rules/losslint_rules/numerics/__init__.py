"""Where values or gradients stop being finite."""
