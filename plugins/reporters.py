"""The metric reporters that come with cxrkit: the figures that a reviewer of a classifier asks for."""

from collections.abc import Mapping

from cxrkit import hookimpl
from cxrkit.api import MetricReporter

from .calibration import calibration
from .classification import classification
from .utility import utility


@hookimpl
def cxrkit_register_metric_reporters() -> Mapping[str, MetricReporter]:
    """Offer ``classification``, ``calibration`` and ``utility``."""
    return {"classification": classification, "calibration": calibration, "utility": utility}
