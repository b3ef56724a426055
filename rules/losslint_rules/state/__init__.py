"""Hazards of what a loss changes or keeps from one step to the next."""
