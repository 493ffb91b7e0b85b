"""Builds, trains, evaluates and saves a run."""
