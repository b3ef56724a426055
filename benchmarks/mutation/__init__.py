"""Hazards that are planted in sound losses, one at a time: a module for each family of them."""
