"""Hazards of tensors that live on different devices, or in different dtypes."""
