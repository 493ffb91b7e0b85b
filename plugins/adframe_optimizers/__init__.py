"""Optimisers with their learning-rate schedules."""
