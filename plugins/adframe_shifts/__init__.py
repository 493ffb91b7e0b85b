"""Bundled shifting transformations: what turns inliers into virtual outliers."""
