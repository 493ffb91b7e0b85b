"""Tensor operations that several components share; plugins import them from here."""

from adframe.ops.contrastive import at_least_float32 as at_least_float32
from adframe.ops.contrastive import group_contrast as group_contrast
from adframe.ops.image import cut_window as cut_window
from adframe.ops.image import gaussian_blur as gaussian_blur
from adframe.ops.image import luma as luma
from adframe.ops.image import restore_dtype as restore_dtype
from adframe.ops.image import to_float as to_float
from adframe.ops.maps import centres as centres
from adframe.ops.maps import spread_scores as spread_scores
from adframe.ops.memory import early_gradient as early_gradient
from adframe.ops.memory import recomputed as recomputed
from adframe.ops.nearest import topk_cosine as topk_cosine
from adframe.parallel.anchors import by_anchors as by_anchors
