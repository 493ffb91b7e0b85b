"""Base classes of components, one for each kind, and the values that components exchange.

The constructor of a component is its schema. Each parameter is a config key. Its annotation gives
the type and the bounds (with ``annotated_types`` or the aliases below); the docstring describes it
under ``Args:``. A parameter annotated with a base class takes a nested component. Values that are
known only at run time are passed to the methods.
"""

from adframe.data.lazy import Pixels as Pixels
from adframe.data.reading import Fit as Fit
from adframe.interfaces.backbone import Backbone as Backbone
from adframe.interfaces.data import Dataset as Dataset
from adframe.interfaces.data import Images as Images
from adframe.interfaces.data import Splits as Splits
from adframe.interfaces.method import LossTerm as LossTerm
from adframe.interfaces.method import Method as Method
from adframe.interfaces.method import MethodParts as MethodParts
from adframe.interfaces.metrics import Metric as Metric
from adframe.interfaces.metrics import Scored as Scored
from adframe.interfaces.run import Decision as Decision
from adframe.interfaces.run import Outcome as Outcome
from adframe.interfaces.run import Report as Report
from adframe.interfaces.run import Run as Run
from adframe.interfaces.scoring import Features as Features
from adframe.interfaces.scoring import MapScorer as MapScorer
from adframe.interfaces.scoring import Scorer as Scorer
from adframe.interfaces.scoring import ViewSpec as ViewSpec
from adframe.interfaces.scoring import Windows as Windows
from adframe.interfaces.training import Augmentation as Augmentation
from adframe.interfaces.training import Loss as Loss
from adframe.interfaces.training import LossDims as LossDims
from adframe.interfaces.training import Optimizer as Optimizer
from adframe.interfaces.training import Schedule as Schedule
from adframe.interfaces.training import Shift as Shift
from adframe.interfaces.training import count_variants as count_variants
from adframe.interfaces.training import every_variant as every_variant
from adframe.interfaces.types import Batch as Batch
from adframe.interfaces.types import Count as Count
from adframe.interfaces.types import Fraction as Fraction
from adframe.interfaces.types import LayerWidth as LayerWidth
from adframe.interfaces.types import NoEffect as NoEffect
from adframe.interfaces.types import NonNegative as NonNegative
from adframe.interfaces.types import Positive as Positive
from adframe.interfaces.types import Stage as Stage
from adframe.interfaces.types import Transform as Transform
from adframe.interfaces.types import Update as Update
from adframe.interfaces.types import ViewCount as ViewCount
from adframe.interfaces.types import Views as Views
from adframe.interfaces.wrappers import MethodWrapper as MethodWrapper
from adframe.random import RandomKeys as RandomKeys
