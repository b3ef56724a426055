"""What the code means: names, losses, values, operators, the interpreter and its graph."""
