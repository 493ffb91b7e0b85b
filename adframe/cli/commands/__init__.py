"""One module per group of CLI verbs; each function takes parsed arguments, returns a status."""
