"""Tables of runs: rows of configs, columns of data, budgets, beside published figures. All data."""
