"""Bundled optimisers with their learning-rate schedules."""
