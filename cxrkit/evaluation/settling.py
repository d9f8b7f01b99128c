"""What is fixed on validation before any test image is looked at: thresholds, the uncertain zone, the temperature."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import get_args

import numpy as np

from cxrkit.api import Predictions, PriorShift, Threshold, Unit
from cxrkit.config.schema import ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import ensembles, predictions, recalibration, thresholds
from cxrkit.evaluation.finished import FinishedTask
from cxrkit.evaluation.per_patient import by_patient, has_repeats
from cxrkit.records import ModelInfo, PriorRecord, TaskInfo, TemperatureRecord, ThresholdRecord, Zone

PATIENT_UNITS: tuple[Unit, ...] = tuple(unit for unit in get_args(Unit) if unit != "image")
SAME_SHARES = 1e-3  # shares that differ by less were not changed on purpose


@dataclass(frozen=True)
class Settled:
    """What holds for a task on every set.

    Attributes:
        threshold: of its decisions.
        of_patients: unit → threshold of the patients' probabilities.
        points: further thresholds, for stated sensitivities and specificities.
        zone: lower and upper threshold of the uncertain zone, or None.
        temperature: of its logits, or None.
        prior: how the training's class shares were changed, or None.
        of_seeds: seed → what each single training's model gets.
    """

    threshold: Threshold
    of_patients: Mapping[Unit, Threshold] = field(default_factory=dict)
    points: Sequence[Threshold] = ()
    zone: tuple[Threshold, Threshold] | None = None
    temperature: TemperatureRecord | None = None
    prior: PriorShift | None = None
    of_seeds: Mapping[int, "Settled"] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """How thresholds and their intervals are made.

    Attributes:
        table: rule and parameters.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """

    table: ThresholdTable
    level: float
    resamples: int
    seed: int

    def threshold(self, validation: Predictions | None) -> Threshold:
        """Choose a threshold, with its interval."""
        return thresholds.choose(validation, self.table, level=self.level, resamples=self.resamples, seed=self.seed)


def settle(task: FinishedTask, rules: Rules, members: Sequence[TaskInfo]) -> Settled:
    """Fix everything that a task's figures on test sets depend on, from its validation predictions alone.

    A saved model keeps what was fixed when it was trained: nothing of it is chosen anew.

    Args:
        task: with its predictions.
        rules: how thresholds are chosen.
        members: of an ensemble or of test-time augmentation, as they were settled; else empty.

    Raises:
        InputError: a threshold cannot be chosen.
    """
    if task.info.kind == "checkpoint":
        return _as_saved(task.info)
    validation = task.read("val") if ("val", None) in task.sets() else None
    if task.info.scale == "decision":
        return Settled(thresholds.OF_DECISIONS)
    return replace(
        _of(validation, rules),
        of_patients=_of_patients(validation, rules),
        points=[] if validation is None else _points(validation, rules),
        prior=_prior(task, members),
        of_seeds=_of_seeds(task, rules),
    )


def _of(validation: Predictions | None, rules: Rules) -> Settled:
    refer = rules.table.refer
    zone = None
    if refer is not None:
        if validation is None:
            raise InputError("threshold.refer: is chosen on validation and there are no predictions on it")
        zone = thresholds.zone(validation, refer, level=rules.level, resamples=rules.resamples, seed=rules.seed)
    return Settled(
        threshold=rules.threshold(validation),
        zone=zone,
        temperature=None if validation is None else recalibration.fit_temperature(validation),
    )


def _of_patients(validation: Predictions | None, rules: Rules) -> dict[Unit, Threshold]:
    """Choose by the same rule on patients; a fixed threshold is theirs as well.

    Where no patient is negative (or positive) there is nothing to choose by, and patients are not evaluated.
    """
    if validation is None:
        return dict.fromkeys(PATIENT_UNITS, rules.threshold(None))
    found: dict[Unit, Threshold] = {}
    for unit in PATIENT_UNITS:
        with suppress(InputError):
            found[unit] = rules.threshold(as_patients(validation, unit))
    return found


def as_patients(found: Predictions, unit: Unit) -> Predictions:
    """Put the images of each patient together: ``patient-max``, ``patient-mean``."""
    return by_patient(found, "max" if unit == "patient-max" else "mean")


def counts_patients(found: Predictions) -> bool:
    """Say whether patients are another unit than images: some have several."""
    return has_repeats(found)


def _points(validation: Predictions, rules: Rules) -> list[Threshold]:
    return thresholds.operating_points(validation, level=rules.level, resamples=rules.resamples, seed=rules.seed)


def _of_seeds(task: FinishedTask, rules: Rules) -> dict[int, Settled]:
    """Fix the same for each training where there are several; a single one is the task."""
    if len(task.info.seeds) < 2:  # noqa: PLR2004
        return {}
    return {seed: _of(found, rules) for seed in task.info.seeds if (found := _of_seed(task, seed)) is not None}


def _of_seed(task: FinishedTask, seed: int) -> Predictions | None:
    """Read a single training's predictions on validation."""
    path = task.directory.seed(seed).predictions("val")
    if not path.is_file():
        return None
    return predictions.read(
        path, task=task.info.task, set_name="val", class_names=task.info.class_names, positive=task.info.positive
    )


# ── Class shares of the training ──────────────────────────────────────────────────────────────────────────────────────


def _prior(task: FinishedTask, members: Sequence[TaskInfo]) -> PriorShift | None:
    """Find how the training changed the class shares; None where it did not, or where that is not known."""
    shift = _of_members(task.info, members) if task.info.members else _of_trainings(task)
    return None if shift is None or np.allclose(shift.seen, shift.natural, atol=SAME_SHARES) else shift


def _of_members(info: TaskInfo, members: Sequence[TaskInfo]) -> PriorShift | None:
    if info.kind == "tta":  # the same networks
        return next((_shift(one.prior) for one in members if one.prior is not None), None)
    if info.ensemble is None:
        return None
    combined = ensembles.prior_of(members, info.ensemble.weights, info.ensemble.method)
    return None if combined is None else _shift(combined)


def _of_trainings(task: FinishedTask) -> PriorShift | None:
    infos = [task.directory.seed(seed).model_info for seed in _represented(task.info)]
    models = [ModelInfo.read(path) for path in infos if path.is_file()]
    seen = [model.seen_shares for model in models if model.seen_shares is not None]
    if not seen or len(seen) < len(models):
        return None
    return PriorShift(np.mean(seen, axis=0), np.mean([model.class_shares for model in models], axis=0))


def _represented(info: TaskInfo) -> list[int]:
    one = (info.represent or "").removeprefix("seed ")
    return [int(one)] if one.isdigit() else info.seeds


def _shift(record: PriorRecord) -> PriorShift:
    return PriorShift(np.array(record.seen, dtype=np.float64), np.array(record.natural, dtype=np.float64))


# ── As files ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(task: FinishedTask, settled: Settled) -> FinishedTask:
    """Write what was fixed into ``task.json`` and the ``model.json`` of each training."""
    of_task = {"temperature": settled.temperature, **_thresholds(settled), **_of_the_task(settled)}
    info = task.info.model_copy(update=of_task)
    info.write(task.directory.info)
    for number in info.seeds:
        path = task.directory.seed(number).model_info
        if path.is_file():
            # A single training's probabilities differ from the ensemble's, and so does what is fixed on them.
            own = settled.of_seeds.get(number, settled)
            temperature = None if own.temperature is None else own.temperature.value
            ModelInfo.read(path).model_copy(update={"temperature": temperature, **_thresholds(own)}).write(path)
    return replace(task, info=info)


def described(task: FinishedTask, found: Mapping[str, Settled]) -> TaskInfo:
    """Describe a task with the class shares that were settled for it."""
    settled = found.get(task.info.task)
    return task.info if settled is None else task.info.model_copy(update=_of_the_task(settled))


def _thresholds(settled: Settled) -> dict[str, ThresholdRecord | Zone | None]:
    zone = settled.zone
    return {
        "threshold": record(settled.threshold),
        "zone": None if zone is None else Zone(lower=record(zone[0]), upper=record(zone[1])),
    }


def _of_the_task(settled: Settled) -> dict[str, object]:
    prior = settled.prior
    return {
        "patient_thresholds": {unit: record(one) for unit, one in settled.of_patients.items()},
        "prior": None if prior is None else PriorRecord(seen=prior.seen.tolist(), natural=prior.natural.tolist()),
    }


def record(threshold: Threshold) -> ThresholdRecord:
    """Turn a threshold into its record."""
    return ThresholdRecord(**asdict(threshold))


def _as_saved(info: TaskInfo) -> Settled:
    if info.threshold is None:
        raise InputError("has no threshold, a saved model brings one in its model.json, or --threshold gives it")
    zone, prior = info.zone, info.prior
    return Settled(
        threshold=_threshold(info.threshold),
        of_patients={unit: _threshold(one) for unit in PATIENT_UNITS if (one := info.patient_thresholds.get(unit))},
        zone=None if zone is None else (_threshold(zone.lower), _threshold(zone.upper)),
        temperature=info.temperature,
        prior=None if prior is None else _shift(prior),
    )


def _threshold(saved: ThresholdRecord) -> Threshold:
    return Threshold(**saved.model_dump())
