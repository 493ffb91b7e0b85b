"""Schedules that several methods use."""
