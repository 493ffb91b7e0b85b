"""Tables of runs: rows (configs), columns (tasks), budgets and published figures, all as data."""
