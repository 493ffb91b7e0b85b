"""SSD (Sehwag et al., ICLR 2021): its anomaly scores."""
