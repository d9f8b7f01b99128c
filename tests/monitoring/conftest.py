from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxrkit import environment
from cxrkit.api import Predictions
from cxrkit.monitoring.periods import Period
from cxrkit.monitoring.reading import Batch, Model
from cxrkit.monitoring.reference import Reference
from cxrkit.monitoring.watching import Watched
from cxrkit.records import Environment, ThresholdRecord

CLASSES = ("NORMAL", "PNEUMONIA")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Describe the machine at once: reading the versions of all packages takes longer than a small page."""
    described = Environment(cxrkit="0", python="3", platform="x", processor="y", cpu_count=1)
    monkeypatch.setattr(environment, "describe", lambda: described)


@pytest.fixture
def simulate() -> Callable[..., Predictions]:
    """Draw images of patients with several each, whose scores are calibrated where nothing is shifted."""

    def simulated(seed, *, n=300, per_patient=1.5, prevalence=0.4, shift=0.0, labelled=True, failed=0, set_name="new"):
        rng = np.random.default_rng(seed)
        people = max(1, int(n / per_patient))
        patients = np.arange(n) if per_patient == 1 else rng.integers(0, people, n)
        sick = (rng.random(max(people, n)) < prevalence)[patients]
        trait = rng.normal(size=max(people, n)) * (0.5 if per_patient > 1 else 0)
        score = 1 / (1 + np.exp(-(3 * (sick - 0.5) + trait[patients] + rng.normal(size=n) + shift)))
        status = np.array(["ok"] * (n - failed) + ["truncated or damaged"] * failed, dtype=np.str_)
        score[status != "ok"] = np.nan
        return Predictions(
            task="a",
            set=set_name,
            condition=None,
            class_names=CLASSES,
            positive="PNEUMONIA",
            images=np.array([f"{set_name}{seed}/{row:05d}.png" for row in range(n)], dtype=np.str_),
            patients=np.array([f"{seed}-{one}" for one in patients], dtype=np.str_),
            labels=sick.astype(np.int64) if labelled else np.full(n, -1, dtype=np.int64),
            status=status,
            probabilities=np.stack([1 - score, score], axis=1),
        )

    return simulated


@pytest.fixture
def watch() -> Callable[..., Watched]:
    """Set predictions against a reference without any file."""

    def watched(reference, *new, **others):
        known = Reference(Batch(reference), Model("a", CLASSES, "PNEUMONIA"), ThresholdRecord(value=0.5, rule="fixed"))
        periods = [Period(f"period {number}", found) for number, found in enumerate(new, start=1)]
        return Watched(known, (), periods, None, None, **others)

    return watched


@pytest.fixture
def written(tmp_path) -> Callable[..., Path]:
    """Write predictions as a stranger would, without labels where they are unknown."""

    def write(found, name, *, dates=None, without=()):
        columns = {"image": found.images.tolist(), "patient": found.patients.tolist()}
        if (found.labels >= 0).any():
            columns["label"] = [CLASSES[label] if label >= 0 else "" for label in found.labels.tolist()]
        columns["status"] = found.status.tolist()
        columns["p_PNEUMONIA"] = ["" if np.isnan(one) else repr(one) for one in found.score.tolist()]
        if dates is not None:
            columns["acquired"] = dates
        for column in without:
            columns.pop(column)
        rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write
