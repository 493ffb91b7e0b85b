"""Several processes that train one network; for one process, everything here does nothing."""
