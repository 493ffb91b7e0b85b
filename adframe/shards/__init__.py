"""Scoring of many images in shards: each is a job, and all of them become one file."""
