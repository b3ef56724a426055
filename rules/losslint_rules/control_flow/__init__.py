"""Where Python decides what tensors should."""
