"""GOAD (Bergman & Hoshen, ICLR 2020): its losses, its anomaly score and its batch normalisation."""
