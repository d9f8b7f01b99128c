"""The chosen trial: how sure the choice is, and ``best.toml``, with which ``cxrkit run`` makes it again."""

from dataclasses import dataclass
from pathlib import Path

from cxrkit import metrics
from cxrkit.api import Predictions
from cxrkit.areas import auc_interval
from cxrkit.evaluation import differences, predictions
from cxrkit.evaluation.pairs import pair
from cxrkit.files import write_text
from cxrkit.intervals import count_patients
from cxrkit.records import Estimate, SearchInfo, SearchStanding, TrialRecord
from cxrkit.run.search import best_file, trials
from cxrkit.run.search.prepare import Search
from cxrkit.rundir import RunDirectory

BEST = "best.toml"
HALF = 0.5  # a threshold, which no area depends on


@dataclass(frozen=True)
class Outcome:
    """What came of a search.

    Attributes:
        info: what ``search.json`` says.
        best: the ``best.toml``.
    """

    info: SearchInfo
    best: Path


def settle(search: Search, info: SearchInfo) -> Outcome:
    """Say how sure the choice is, and write ``search.json``, ``search.csv`` and ``best.toml``.

    Args:
        search: checked.
        info: with all its trials, of which one at least has finished.
    """
    info = info.model_copy(update={"standing": _standing(search, info)})
    trials.write(search.output, info)
    best, path = trials.ranked(info)[0], search.output / BEST
    text = best_file.text(search, best, _told(info, best), search.output)
    write_text(path, text)
    return Outcome(info, path)


def _told(info: SearchInfo, best: TrialRecord) -> str:
    return (
        f"Written by cxrkit search: trial {best.number}, the best of {len(info.trials)} by "
        f"{info.metric} = {best.metric:.4f} on {info.images['val']} validation images."
    )


# ── How sure it is ────────────────────────────────────────────────────────────────────────────────────────────────────


def _standing(search: Search, info: SearchInfo) -> SearchStanding | None:
    """Compute the chosen trial's AUC and its difference from the second's; None where validation has one class."""
    best, *others = trials.ranked(info)
    first, level = _predictions(search, best), search.study.configuration.evaluation.level
    compared = pair(first, first, (HALF, HALF))
    seen = compared.of(compared.complete)
    low, high, method = auc_interval(seen.truth, seen.scores[:, 0], seen.patients, level)
    value = metrics.roc_auc(seen.truth, seen.scores[:, 0])
    if value is None or low is None or high is None:
        return None
    counts = {"n": len(seen.labels), "n_patients": count_patients(seen.patients)}
    return SearchStanding(
        auc=Estimate(value=value, low=low, high=high, level=level, method=method, **counts),
        within=sum(low <= one.figures.get("val_roc_auc", -1.0) <= high for one in others),
        others=len(others),
        second=others[0].number if others else None,
        difference=_difference(first, _predictions(search, others[0]), level) if others else None,
    )


def _difference(first: Predictions, second: Predictions, level: float) -> Estimate:
    """Compare the AUC of two trials on the same images, as a report compares two tasks."""
    found = differences.area(pair(first, second, (HALF, HALF)), level)
    low, high, method = found.interval
    counts = {"n": found.n, "n_patients": found.n_patients}
    return Estimate(value=found.value, low=low, high=high, level=level, method=method, **counts)


def _predictions(search: Search, trial: TrialRecord) -> Predictions:
    """Read what a trial predicts of the validation images: with several seeds, the mean logit over them."""
    task = RunDirectory(trials.trial_folder(search.output, trial.number)).task(search.task.name)
    members = [
        predictions.read(
            task.seed(seed).predictions("val"),
            task=search.task.name,
            set_name="val",
            class_names=search.study.class_names,
            positive=search.study.positive,
        )
        for seed in search.task.seeds
    ]
    return predictions.combine(members, search.task.name)
