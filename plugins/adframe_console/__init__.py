"""Output of a run: progress bar, results table, metric log."""
