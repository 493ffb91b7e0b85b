"""Augmentations that several methods use. Each image gets its own random parameters."""
