"""Search: trials of a config, each a run, that look for the values best on validation images."""
