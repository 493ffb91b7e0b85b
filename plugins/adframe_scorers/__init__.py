"""Anomaly scores that several methods use."""
