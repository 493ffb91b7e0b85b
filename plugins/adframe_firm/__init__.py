"""FIRM (Lunardi et al., ECAI 2025): its loss."""
