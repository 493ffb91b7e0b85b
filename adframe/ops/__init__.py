"""Numeric operations on tensors that several components share."""
