"""Observers of a run: logs, and early stopping."""
