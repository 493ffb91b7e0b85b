"""Runs the cells of tables and sweeps on Ray."""
