"""Bundled augmentations: batched random transforms, every image with its own parameters."""
