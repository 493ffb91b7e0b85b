"""Shifting transformations that several methods use. They turn inliers into virtual outliers."""
