"""Dimensions that broadcast, vanish or are mistaken for one another."""
