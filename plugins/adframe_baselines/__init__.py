"""Losses of the methods UniCon-HA is compared with, and of its ablations."""
