"""Config files: from YAML to one validated run."""
