"""CSI (Tack et al., NeurIPS 2020): its anomaly score."""
