"""A few cells of tests/simulations/interval_coverage.py, and proof that they would tell a broken method."""

import runpy
from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cxrkit.evaluation.paired import swap_test
from cxrkit.intervals import wilson

SIMULATION = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parent / "simulations" / "interval_coverage.py"), run_name="simulation")
)
DRAWS = 300
# Three standard errors of a share of 300 draws beyond what the whole table is held to.
LOWEST = 0.93 - 3 * sqrt(0.93 * 0.07 / DRAWS)
HIGHEST = 0.05 + 3 * sqrt(0.05 * 0.95 / DRAWS)
CELLS = [
    SIMULATION.Cell("good", 1.0, "alike", 0.5, 100),
    SIMULATION.Cell("fair", 3.0, "alike", 0.5, 100),
    SIMULATION.Cell("good", 3.0, "mixed", 0.1, 300),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.model}-{cell.images}-{cell.labels}")
def test_intervals_cover_and_paired_tests_keep_their_level(cell):
    found = SIMULATION.simulate(cell, DRAWS, 0)
    assert found.enough
    for name, share in found.covered.items():
        assert share >= LOWEST, name
    for name, share in found.rejected.items():
        assert share <= HIGHEST, name
    for name, share in found.held.items():
        assert share >= LOWEST, name


def test_the_same_bounds_tell_methods_that_take_images_as_independent():
    cell, rng = CELLS[1], np.random.default_rng(0)
    at, truth_of = SIMULATION.threshold(cell), SIMULATION.true_figures(cell)["sensitivity"]
    covered = rejected = 0
    for _ in range(DRAWS):
        truth, scores, _ = SIMULATION.draw(cell, rng)
        called = scores[truth] >= at
        low, high = wilson(called[:, 0].sum(), len(called))
        covered += low <= truth_of <= high
        rejected += swap_test(called[:, 0].astype(np.int64) - called[:, 1]) <= 0.05
    assert covered / DRAWS < LOWEST
    assert rejected / DRAWS > HIGHEST


def test_the_simulated_truth_is_that_of_a_large_cohort():
    for cell in CELLS:
        large = cell._replace(patients=100_000)
        truth, scores, patients = SIMULATION.draw(large, np.random.default_rng(1))
        called = scores[:, 0] >= SIMULATION.threshold(cell)
        seen = SIMULATION.true_figures(cell)
        assert truth.mean() == pytest.approx(cell.prevalence, abs=0.005)
        assert len(truth) / 100_000 == pytest.approx(cell.images, abs=0.03)
        assert called[truth].mean() == pytest.approx(seen["sensitivity"], abs=0.01)
        assert called[~truth].mean() == pytest.approx(1 - seen["specificity"], abs=0.01)
        assert (called == truth).mean() == pytest.approx(seen["accuracy"], abs=0.01)
        assert truth[called].mean() == pytest.approx(seen["PPV"], abs=0.01)
        assert truth[~called].mean() == pytest.approx(1 - seen["NPV"], abs=0.01)
        deviations = scores - SIMULATION.distance(cell) * truth[:, None]
        assert np.corrcoef(deviations.T)[0, 1] == pytest.approx(0.5, abs=0.02)
        first = np.flatnonzero(np.diff(patients) == 0)
        if len(first):
            within = np.corrcoef(deviations[first, 0], deviations[first + 1, 0])[0, 1]
            assert within == pytest.approx(0.5, abs=0.02)
