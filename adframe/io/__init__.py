"""Files: atomic writing, tensors with a checksum, locks, paths."""
