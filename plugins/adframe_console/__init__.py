"""What a run shows and writes: progress bar, results table, metric log."""
