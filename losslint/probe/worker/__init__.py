"""The child's side of a run. Lives on torch and the standard library alone, and is started by its path: whatever Python
a project uses can run it, with losslint installed there or not. It measures, and judges nothing."""
