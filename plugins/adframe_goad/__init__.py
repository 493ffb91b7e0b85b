"""GOAD (Bergman & Hoshen, ICLR 2020): a space in which every transformation has its place."""
