"""Files: written whole, tensors with a checksum, locks."""
