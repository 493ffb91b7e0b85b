"""iDECODe (Kaur et al., AAAI 2022): its method, its augmentation and its anomaly scores."""
