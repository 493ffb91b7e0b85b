"""A report of finished runs: one HTML file that needs nothing else."""
