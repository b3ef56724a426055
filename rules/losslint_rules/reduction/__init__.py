"""How elements and terms become one number."""
