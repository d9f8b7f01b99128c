"""The temperature of a task's logits, fitted on its validation predictions."""

import numpy as np

from cxrkit import calibration
from cxrkit.api import Predictions
from cxrkit.evaluation.predictions import OK, log_scores, taken
from cxrkit.records import TemperatureRecord


def fit_temperature(validation: Predictions) -> TemperatureRecord | None:
    """Fit the temperature that makes validation labels most likely (Guo et al. 2017).

    Args:
        validation: with logits; without, the logarithms of the probabilities stand in.

    Returns:
        None where it cannot be estimated: no probabilities, one class alone, perfect separation.
    """
    if validation.scale != "probability":
        return None
    seen = taken(validation, validation.status == OK)
    temperature = calibration.fit_temperature(log_scores(seen), seen.labels) if len(seen.labels) else None
    if temperature is None:
        return None
    return TemperatureRecord(
        value=temperature, set=seen.set, n=len(seen.labels), n_patients=len(np.unique(seen.patients))
    )
