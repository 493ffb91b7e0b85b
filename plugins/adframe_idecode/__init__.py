"""iDECODe (Kaur et al., AAAI 2022): equivariance learned, and judged by conformal p-values."""
