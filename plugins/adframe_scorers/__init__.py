"""Bundled anomaly scores."""
