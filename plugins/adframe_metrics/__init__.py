"""Metrics of the scores of images and of pixels."""
