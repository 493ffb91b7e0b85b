"""A run: build, train, evaluate, save."""
