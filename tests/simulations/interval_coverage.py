"""How often nominal 95 % intervals cover the truth, and how often paired tests err where two models are equally good.

    nice python tests/simulations/interval_coverage.py [--draws 2000] [--seed 0] [--output docs/coverage.md]

Ten minutes on two idle cores at 2,000 draws. Each cell draws cohorts of patients and asks the functions that the
evaluation itself calls. With --output the table replaces what stands below the marker of that file, else it is printed.

The model is binormal. An image's score is d for a positive one plus a standard normal deviation, half of whose variance
the patient's images share: a correlation of .5 within patients, given the class. The deviations of two models correlate
by .5 as well. So the truth is known: the area under the ROC curve is Phi(d / sqrt(2)), of images of different patients;
at the threshold t the sensitivity is 1 - Phi(t - d) and the specificity Phi(t), and accuracy and predictive values
follow from these and the prevalence.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import product
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
from scipy.stats import norm

from cxrkit.areas import auc_interval
from cxrkit.evaluation.differences import area, shares
from cxrkit.evaluation.pairs import Pair
from cxrkit.intervals import proportion

LEVEL = 0.95
MARKER = "<!-- below: written by tests/simulations/interval_coverage.py -->\n"
ENOUGH = 30  # patients in each class, from which on the requirement holds
LOWEST, LOWEST_MEAN, HIGHEST_ERROR = 0.91, 0.93, 0.06
MODELS = {"fair": (0.85, 0.80), "good": (0.97, 0.95)}  # area under the ROC curve, sensitivity at the threshold
FIGURES = ("AUC", "sensitivity", "specificity", "accuracy", "PPV", "NPV")
TESTS = ("AUC", "sensitivity", "specificity")


class Cell(NamedTuple):
    """What one row of the table simulates.

    Attributes:
        model: of ``MODELS``.
        images: of a patient on average; their number is geometric, from 1 on.
        labels: of a patient's images: ``alike``, or ``mixed``, where they correlate by .5 on a latent normal scale.
        prevalence: share of positive images.
        patients: of a cohort.
    """

    model: str
    images: float
    labels: str
    prevalence: float
    patients: int


class Cohort(NamedTuple):
    """Images of drawn patients: bool[n], scores of two equally good models float64[n, 2], int64[n]."""

    truth: np.ndarray
    scores: np.ndarray
    patients: np.ndarray


class Found(NamedTuple):
    """What a cell's cohorts gave.

    Attributes:
        fewest: patients with images of the rarer class, on average.
        covered: figure → share of intervals that hold the truth.
        rejected: figure → share of tests with p of at most .05.
        held: figure → share of intervals of the paired difference that hold 0.
    """

    fewest: int
    covered: dict[str, float]
    rejected: dict[str, float]
    held: dict[str, float]

    @property
    def enough(self) -> bool:
        return self.fewest >= ENOUGH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    cells = list(grid())
    seeds = np.random.SeedSequence(arguments.seed).spawn(len(cells))
    with ProcessPoolExecutor(2) as pool:
        results = []
        for found in pool.map(simulate, cells, [arguments.draws] * len(cells), seeds):
            results.append(found)
            sys.stderr.write(f"\r{len(results)} of {len(cells)} cells")
    text = "\n".join(page(cells, results, arguments.draws, arguments.seed))
    if arguments.output is None:
        sys.stdout.write(text)
        return
    above = arguments.output.read_text(encoding="utf-8").partition(MARKER)[0] if arguments.output.is_file() else ""
    arguments.output.write_text(above + MARKER + text, encoding="utf-8", newline="\n")


def grid() -> Iterator[Cell]:
    structures = [(1.0, "alike"), (1.5, "alike"), (1.5, "mixed"), (3.0, "alike"), (3.0, "mixed")]
    sizes = (60, 100, 200, 300, 400, 800)
    for model, (images, labels), prevalence, patients in product(MODELS, structures, (0.1, 0.5), sizes):
        yield Cell(model, images, labels, prevalence, patients)


# ── A cell ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def simulate(cell: Cell, draws: int, seed: np.random.SeedSequence | int) -> Found:
    rng, truths = np.random.default_rng(seed), true_figures(cell)
    covered: dict[str, list[bool]] = {name: [] for name in FIGURES}
    rejected: dict[str, list[bool]] = {name: [] for name in TESTS}
    held: dict[str, list[bool]] = {name: [] for name in TESTS}
    counts = []
    for _ in range(draws):
        cohort = draw(cell, rng)
        counts.append([len(np.unique(cohort.patients[rows])) for rows in (cohort.truth, ~cohort.truth)])
        for name, (low, high, _method) in intervals(cohort, threshold(cell)).items():
            if low is not None and high is not None:  # else nothing was called so, and there is no figure
                covered[name].append(low <= truths[name] <= high)
        for name, (p_value, (low, high, _method)) in paired(cohort, threshold(cell)).items():
            rejected[name].append(p_value is not None and p_value <= 1 - LEVEL)
            held[name].append(low is None or low <= 0 <= high)
    return Found(int(np.mean(counts, axis=0).min().round()), *(shared(found) for found in (covered, rejected, held)))


def shared(found: dict[str, list[bool]]) -> dict[str, float]:
    return {name: float(np.mean(values)) for name, values in found.items()}


def distance(cell: Cell) -> float:
    return float(norm.ppf(MODELS[cell.model][0])) * sqrt(2)


def threshold(cell: Cell) -> float:
    return distance(cell) - float(norm.ppf(MODELS[cell.model][1]))


def true_figures(cell: Cell) -> dict[str, float]:
    """Compute what the intervals should cover."""
    (auc, sensitivity), share = MODELS[cell.model], cell.prevalence
    specificity = float(norm.cdf(threshold(cell)))
    right = (share * sensitivity, (1 - share) * specificity)
    called = share * sensitivity + (1 - share) * (1 - specificity)
    values = (auc, sensitivity, specificity, sum(right), right[0] / called, right[1] / (1 - called))
    return dict(zip(FIGURES, values, strict=True))


def draw(cell: Cell, rng: np.random.Generator) -> Cohort:
    """Draw patients until both classes occur, which nearly every cohort has."""
    while True:
        patients = np.repeat(np.arange(cell.patients), rng.geometric(1 / cell.images, cell.patients))
        latent = rng.normal(size=cell.patients)[patients]
        if cell.labels == "mixed":
            latent = (latent + rng.normal(size=len(patients))) / sqrt(2)
        truth = latent < norm.ppf(cell.prevalence)
        if truth.any() and not truth.all():
            break
    deviations = (alike_by_half(rng, cell.patients)[patients] + alike_by_half(rng, len(patients))) / sqrt(2)
    return Cohort(truth, deviations + distance(cell) * truth[:, None], patients)


def alike_by_half(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw standard normal float64[n, 2] whose columns correlate by .5."""
    columns = rng.normal(size=(n, 3))
    return (columns[:, :2] + columns[:, 2:]) / sqrt(2)


def intervals(cohort: Cohort, at: float) -> dict[str, tuple]:
    """Compute the intervals of the first model's figures."""
    truth, score, patients = cohort.truth, cohort.scores[:, 0], cohort.patients
    called = score >= at
    everything = np.ones(len(truth), dtype=bool)
    rows = (truth, ~truth, everything, called, ~called)
    successes = (called, ~called, called == truth, truth, ~truth)
    of_shares = [
        proportion(success[among], patients[among], LEVEL).interval
        for success, among in zip(successes, rows, strict=True)
    ]
    return dict(zip(FIGURES, [auc_interval(truth, score, patients, LEVEL), *of_shares], strict=True))


def paired(cohort: Cohort, at: float) -> dict[str, tuple]:
    """Compare the two models, which are equally good: p values and intervals of the difference."""
    labels = cohort.truth.astype(np.int64)
    called = (cohort.scores >= at).astype(np.int64)
    pair = Pair(labels, 2, 1, cohort.patients, called, cohort.scores, ("score", "score"))
    found = [area(pair, LEVEL), *shares(pair, LEVEL)]
    return {name: (one.p_value, one.interval) for name, one in zip(TESTS, found, strict=False)}


# ── The page ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def page(cells: list[Cell], results: list[Found], draws: int, seed: int) -> Iterator[str]:
    today, error = datetime.now(UTC).date(), 100 * sqrt(0.05 * 0.95 / draws)
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    yield f"Run on {today} with {versions} on {os.cpu_count()} cores:"
    yield f"`python tests/simulations/interval_coverage.py --draws {draws} --seed {seed} --output docs/coverage.md`."
    yield f"{draws:,} cohorts for each cell: a share of 95 % or 5 % has a standard error of {error:.1f} points.\n"
    yield "## Summary\n"
    yield from summary(results)
    for title, wanted in ((f"{ENOUGH} or more patients in each class", True), ("Fewer", False)):
        yield f"\n## {title}\n"
        yield from table([both for both in zip(cells, results, strict=True) if both[1].enough is wanted])
    yield ""


def summary(results: list[Found]) -> Iterator[str]:
    """Hold the cells with enough patients against the requirement."""
    enough = [found for found in results if found.enough]
    yield f"Cells with {ENOUGH} or more patients in each class: {len(enough)} of {len(results)}.\n"
    yield "| 95 % interval of | mean coverage | least | most | required |"
    yield "|---|---|---|---|---|"
    for name in FIGURES:
        values = [found.covered[name] for found in enough]
        met = np.mean(values) >= LOWEST_MEAN and min(values) >= LOWEST
        required = f"mean {LOWEST_MEAN:.0%}, least {LOWEST:.0%}: {verdict(met)}"
        yield row(name, np.mean(values), min(values), max(values), required)
    yield "\n| paired test of | mean error | most | required | 95 % interval of the difference: mean coverage | least |"
    yield "|---|---|---|---|---|---|"
    for name in TESTS:
        values, held = [found.rejected[name] for found in enough], [found.held[name] for found in enough]
        required = f"most {HIGHEST_ERROR:.0%}: {verdict(max(values) <= HIGHEST_ERROR)}"
        yield row(name, np.mean(values), max(values), required, np.mean(held), min(held))


def verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def table(rows: list[tuple[Cell, Found]]) -> Iterator[str]:
    yield (
        "| model | images per patient | their labels | prevalence | patients | of the rarer class | "
        + " | ".join(f"{name}" for name in FIGURES)
        + " | "
        + " | ".join(f"error: {name}" for name in TESTS)
        + " |"
    )
    yield "|---" * (6 + len(FIGURES) + len(TESTS)) + "|"
    for cell, found in rows:
        covered = [flagged(found.covered[name], found.covered[name] < LOWEST) for name in FIGURES]
        rejected = [flagged(found.rejected[name], found.rejected[name] > HIGHEST_ERROR) for name in TESTS]
        labels = "" if cell.images == 1 else cell.labels
        shown = (cell.model, f"{cell.images:g}", labels, f"{cell.prevalence:g}", str(cell.patients), str(found.fewest))
        yield row(*shown, *covered, *rejected)


def flagged(share: float, outside: bool) -> str:
    return f"**{share:.1%}**" if outside else f"{share:.1%}"


def row(*values: str | float) -> str:
    return "| " + " | ".join(one if isinstance(one, str) else f"{one:.1%}" for one in values) + " |"


if __name__ == "__main__":
    main()
