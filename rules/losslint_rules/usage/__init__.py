"""Where torch's losses and operators are given what they do not expect."""
