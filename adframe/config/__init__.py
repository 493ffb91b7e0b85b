"""Config files: reading, merging, validation, description."""
