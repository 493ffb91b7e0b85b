"""Runs the cells of tables and sweeps, trials and shards on SLURM, through submitit."""
