"""Checks activation maps on a blind sample: do they depend on what was learnt, and do they point at lesions?"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional

from cxrkit.api import FloatArray, IntArray
from cxrkit.data.images import read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.errors import CxrkitError
from cxrkit.intervals import patient_index
from cxrkit.plans import Event, ExplainedModel, ExplainPlan, Notice, Stage, Step
from cxrkit.records import CamAgreement, CamChecks, Explanations, RandomisationStep
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory
from cxrkit.training import map_figures
from cxrkit.training.cams import Explained, Mapping, mapping, rebuilt
from cxrkit.training.images import Grey, view
from cxrkit.training.map_figures import CORRELATION, SHARE, Maps, Masks
from cxrkit.training.randomisation import parts, randomise

DRAWS = 10  # of random parameters, each for a part of the sample: their variation is in the interval
GRID = 56  # places on a side that correlations are taken over; no usual feature map is finer
ALIKE = 0.5  # maps whose correlation may reach this do not depend on the parameters
SLOW = ("ScoreCAM", "SSCAM", "ISCAM")  # pass an image hundreds of times
Tell = Callable[[Event], None]


class Sample(NamedTuple):
    """The images that maps are checked on, as a network sees them.

    Attributes:
        patients: int64[n].
        seen: uint8[n, size, size].
        masks: bool[n, size, size], the lesions; all False where none is known.
    """

    patients: IntArray
    seen: Grey
    masks: Masks


def check(plan: ExplainPlan, mapped: Sequence[ExplainedModel], models: Registry, tell: Tell) -> None:
    """Write ``tasks/<task>/cam/checks.json`` of every model, and ``explanations.json``.

    A model whose maps cannot be checked is told as a notice; the others go on.

    Args:
        plan: with a sample.
        mapped: those of its models that have maps.
        models: of the loaded plugins.
        tell: is called with each event.
    """
    if plan.method in SLOW:
        what = f"{plan.method} passes every image hundreds of times, gradient methods (GradCAM) can be checked"
        tell(Notice(message=f"activation maps were not checked: {what}"))
        return
    total = len(mapped) * len(plan.sample)
    tell(Stage(name="checking activation maps", total=total))
    run = RunDirectory(Path(plan.run_directory))
    rows = _rows(plan, run)
    patients = patient_index(rows["patient"].to_numpy(dtype=np.str_))
    maps: dict[str, Maps] = {}
    for number, each in enumerate(mapped):
        try:
            explained = rebuilt(plan, each, models)
            sample = _sample(rows, Path(plan.roots[plan.set]), patients, explained.info.preprocessing.image_size)
            progress = _Progress(tell, number * len(plan.sample), total)
            checks, maps[each.task] = _check_model(plan, each, explained, sample, progress)
            checks.write(run.task(each.task).cam / "checks.json")
        except CxrkitError as error:
            tell(Notice(message=f'task "{each.task}": its activation maps were not checked: {error}'))
    agreement = [_agreement(task, reference, maps, patients) for reference, task in combinations(maps, 2)]
    found = Explanations(set=plan.set, n=len(rows), rule=plan.sample_rule, agreement=agreement)
    found.write(run.explanations)


class _Progress(NamedTuple):
    """Who hears of it, how many images were checked before this model, and how many there are over all models."""

    tell: Tell
    before: int
    total: int


# ── The sample ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(plan: ExplainPlan, run: RunDirectory) -> pd.DataFrame:
    manifest = Manifest.read(run.manifest, {name: Path(root) for name, root in plan.roots.items()})
    frame = manifest.of(plan.set)
    return frame[frame["image"].isin(plan.sample)]


def _sample(rows: pd.DataFrame, root: Path, patients: IntArray, size: int) -> Sample:
    files = zip(rows["image"], rows["sha256"], strict=True)
    seen = [view(read_grey(root / image, sha256), size) for image, sha256 in files]
    names = rows["mask"] if "mask" in rows else [""] * len(rows)
    masks = [_mask(root / name, size) if name else np.zeros((size, size), dtype=bool) for name in names]
    return Sample(patients, np.stack(seen), np.stack(masks))


def _mask(path: Path, size: int) -> NDArray[np.bool_]:
    """Read a mask as the network sees its image: whatever is not 0, resized and cropped alike."""
    lesion = np.where(read_grey(path) > 0, 255, 0).astype(np.uint8)
    return view(lesion, size) >= 128  # noqa: PLR2004  # half of a pixel


# ── One model ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_model(
    plan: ExplainPlan, each: ExplainedModel, explained: Explained, sample: Sample, progress: _Progress
) -> tuple[CamChecks, Maps]:
    """Check a model's maps; return also the maps themselves, on the grid that correlations are taken over."""
    with mapping(plan.method, explained, plan.devices) as maps_of:
        found = maps_of(sample.seen)
        coarse = _on_grid(found)
        steps = _randomisation(explained, sample, coarse, maps_of, progress)
    last = steps[-1].correlation if steps else None
    checks = CamChecks(
        method=plan.method,
        layer=explained.layer or "",
        seed=each.seed,
        set=plan.set,
        n=len(found),
        rule=plan.sample_rule,
        empty=int((~found.any(axis=(1, 2))).sum()),
        randomisation=steps,
        depends_on_parameters=None if last is None or last.high is None else last.high < ALIKE,
    )
    return checks.model_copy(update=_in_masks(found, sample)), coarse


def _in_masks(found: Maps, sample: Sample) -> dict[str, object]:
    """Score the maps of the images that show a lesion; none gives nothing."""
    marked = sample.masks.any(axis=(1, 2))
    if not marked.any():
        return {}
    maps, masks, patients = found[marked], sample.masks[marked], sample.patients[marked]
    return {
        "pointing_game": map_figures.share(map_figures.peaks_inside(maps, masks), patients),
        "energy_in_mask": map_figures.mean(map_figures.energy_inside(maps, masks), patients, patients, SHARE),
        "area_of_mask": float(masks.mean()),
    }


def _randomisation(
    explained: Explained, sample: Sample, trained: Maps, maps_of: Mapping, progress: _Progress
) -> list[RandomisationStep]:
    """Correlate the trained model's maps with those after ever more parts were drawn anew."""
    order = parts(explained.model, explained.info.preprocessing.image_size)
    draws = sample.patients * min(DRAWS, int(sample.patients.max()) + 1) // (int(sample.patients.max()) + 1)
    correlations = np.full((len(order), len(trained)), np.nan)
    done = 0
    for draw, columns in _cascades(explained, sample, trained, maps_of, order, draws):
        correlations[:, draws == draw] = columns
        done += columns.shape[1]
        progress.tell(Step(step=progress.before + done, steps=progress.total))
    names = [part or type(explained.model).__name__ for part in order]
    return [_step(name, values, sample.patients, draws) for name, values in zip(names, correlations, strict=True)]


def _cascades(
    explained: Explained, sample: Sample, trained: Maps, maps_of: Mapping, order: Sequence[str], draws: IntArray
) -> Iterator[tuple[int, FloatArray]]:
    """Yield each draw's correlations, float64[parts, images of the draw], every draw from the trained weights on."""
    weights = {name: value.clone() for name, value in explained.model.state_dict().items()}
    for draw in range(int(draws.max()) + 1):
        explained.model.load_state_dict(weights)
        own = draws == draw
        rows = []
        for number, part in enumerate(order):
            randomise(explained.model, part, seed=draw * len(order) + number)
            rows.append(map_figures.rank_correlations(trained[own], _on_grid(maps_of(sample.seen[own]))))
        yield draw, np.array(rows).reshape(len(order), int(own.sum()))


def _step(part: str, correlations: FloatArray, patients: IntArray, draws: IntArray) -> RandomisationStep:
    known = np.isfinite(correlations)
    clusters = draws[known]
    estimate = map_figures.mean(correlations[known], patients[known], clusters, CORRELATION, "draws of parameters")
    return RandomisationStep(part=part, correlation=estimate)


def _on_grid(maps: Maps) -> Maps:
    return functional.adaptive_avg_pool2d(torch.from_numpy(maps), GRID).numpy()


def _agreement(task: str, reference: str, maps: dict[str, Maps], patients: IntArray) -> CamAgreement:
    correlations = map_figures.rank_correlations(maps[task], maps[reference])
    known = np.isfinite(correlations)
    estimate = map_figures.mean(correlations[known], patients[known], patients[known], CORRELATION)
    return CamAgreement(task=task, reference=reference, correlation=estimate)
