"""Alignment and uniformity on the hypersphere, and a TensorBoard log."""
