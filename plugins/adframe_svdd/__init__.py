"""Deep SVDD (Ruff et al., ICML 2018) and Deep SAD (Ruff et al., ICLR 2020)."""
