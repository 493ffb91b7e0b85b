"""Training methods that several papers use."""
