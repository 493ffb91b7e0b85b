"""CSI (Tack et al., NeurIPS 2020): the augmentation of its code and its anomaly score."""
