"""GEOM (Golan & El-Yaniv, NeurIPS 2018): its anomaly score."""
