"""A finished run in Python: it scores images, and becomes one file."""

from adframe.detector.detector import Detector as Detector
from adframe.detector.loading import load as load
