"""How long evaluations take and how much memory they need, each in a process of its own.

    python tests/benchmarks/evaluation_speed.py [MEASUREMENT]…

Prints seconds and peak memory beside the goals, which hold for two cores:

- ``study``: everything for two tasks on 624 images of 428 patients with 2,000 resamples, from files to files
- ``figures``: all point figures, DeLong and calibration on 1,000,000 predictions of 200,000 patients
- ``bootstrap``: 1,000 cluster-bootstrap resamples of the AUC of these
"""

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cxrkit_plugins.reporters import cxrkit_register_metric_reporters

from cxrkit.api import EvaluationSettings, Predictions, Threshold
from cxrkit.bootstrap import Resamples, bootstrap, strata
from cxrkit.config.schema import EvaluationTable, TaskTable, ThresholdTable
from cxrkit.environment import describe
from cxrkit.evaluation import evaluate, importing, predictions
from cxrkit.intervals import patient_index
from cxrkit.metrics import SortedScores
from cxrkit.registry import Registered
from cxrkit.rundir import RunDirectory

MEBIBYTE = 2**20
RESIDENT = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss
MOST_MEMORY = 3 * 2**30
RESAMPLES = 2000


def main() -> None:
    if sys.argv[1:2] == ["--alone"]:
        print(*MEASUREMENTS[sys.argv[2]][0](), sep="\n")
        return
    for name in sys.argv[1:] or MEASUREMENTS:
        _, goal, most_memory = MEASUREMENTS[name]
        command = [sys.executable, __file__, "--alone", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds, memory = float(output[0]), int(output[1])
        print(f"{name:10} {seconds:6.2f} s, goal {goal} s: {verdict(seconds, goal)}; ", end="")
        print(f"{memory / MEBIBYTE:5.0f} MiB, goal {most_memory / MEBIBYTE:.0f} MiB: {verdict(memory, most_memory)}")


def verdict(value: float, goal: float) -> str:
    return "met" if value <= goal else "MISSED"


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RESIDENT


# ── A study, from files to files ──────────────────────────────────────────────────────────────────────────────────────


def study() -> tuple[float, int]:
    with TemporaryDirectory() as folder:
        run = run_directory(Path(folder))
        table = EvaluationTable(resamples=RESAMPLES, prevalence=0.1)
        rules = dict.fromkeys(("first", "second"), ThresholdTable())
        started = time.perf_counter()
        evaluate(run, table, rules, reporters())
        return time.perf_counter() - started, peak()


def reporters() -> list[tuple[Registered, dict[str, object]]]:
    return [
        (Registered(name, "metric reporter", report, "cxrkit", "", ""), {})
        for name, report in cxrkit_register_metric_reporters().items()
    ]


def run_directory(folder: Path) -> RunDirectory:
    """Make a run of two tasks whose test split is as large as the official one, and half as much validation."""
    tables = []
    for seed, task in enumerate(("first", "second")):
        files = {}
        for set_name, counts in (("test", (390, 234, 428)), ("val", (195, 117, 214))):
            files[set_name] = str(folder / f"{task}_{set_name}.csv")
            predictions.write(Path(files[set_name]), simulated(task, set_name, *counts, seed=seed))
        tables.append(TaskTable(name=task, predictions=files))
    run = RunDirectory(folder / "run")
    found = importing.read_tasks(tables, "PNEUMONIA")
    importing.write_run(run, tables, found, environment=describe(), started="2024-01-01T00:00:00+00:00")
    return run


def simulated(task: str, set_name: str, positives: int, negatives: int, patients: int, *, seed: int) -> Predictions:
    """Simulate logits with a random effect of the patient; images, patients and truth are the same for every seed."""
    n = positives + negatives
    truth = np.arange(n) < positives
    of_positives = round(patients * positives / n)
    patient = np.where(truth, np.arange(n) % of_positives, of_positives + np.arange(n) % (patients - of_positives))
    rng = np.random.default_rng([seed, n])
    logit = 1.5 * (rng.normal(size=patients)[patient] + rng.normal(size=n)) + 4 * (truth - 0.5)
    score = 1 / (1 + np.exp(-logit))
    return Predictions(
        task=task,
        set=set_name,
        condition=None,
        class_names=("NORMAL", "PNEUMONIA"),
        positive="PNEUMONIA",
        images=np.char.add(f"{set_name}/", np.arange(n).astype(np.str_)),
        patients=np.char.add("p", patient.astype(np.str_)),
        labels=truth.astype(np.int64),
        status=np.full(n, "ok"),
        probabilities=np.stack([1 - score, score], axis=1),
        logits=np.stack([np.zeros(n), logit], axis=1),
    )


# ── A million predictions ─────────────────────────────────────────────────────────────────────────────────────────────


def million() -> Predictions:
    return simulated("large", "test", 400_000, 600_000, 200_000, seed=0)


def figures() -> tuple[float, int]:
    """Give every figure of every reporter; a single resample stands for none, which their intervals would need."""
    found = million()
    settings = EvaluationSettings(Threshold(0.5, "fixed"), resamples=1, prevalence=0.1, temperature=1.3)
    started = time.perf_counter()
    for report in cxrkit_register_metric_reporters().values():
        report(found, settings)
    return time.perf_counter() - started, peak()


def bootstrapped() -> tuple[float, int]:
    found = million()
    started = time.perf_counter()
    patients = patient_index(found.patients)
    ranking = SortedScores(found.truth, found.score, patients)

    def statistic(block: Resamples) -> np.ndarray:
        return ranking.roc_auc(block.of_patients)[:, None]

    drawn = bootstrap(statistic, patients, strata(found.truth, patients), resamples=1000, seed=0)
    assert drawn.shape == (1000, 1)
    return time.perf_counter() - started, peak()


MEASUREMENTS = {
    "study": (study, 5, MOST_MEMORY),
    "figures": (figures, 20, MOST_MEMORY),
    "bootstrap": (bootstrapped, 120, MOST_MEMORY),
}


if __name__ == "__main__":
    main()
