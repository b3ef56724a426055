"""What losslint knows: the built-in rule pack, one file a hazard."""
