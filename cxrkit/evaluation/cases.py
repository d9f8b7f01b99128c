"""Which images are looked at one by one: the errors of all tasks, and some that all got right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.errors import InputError
from cxrkit.evaluation.finished import FinishedTask, finished_tasks
from cxrkit.evaluation.predictions import OK, aligned_to
from cxrkit.files import digest
from cxrkit.metrics import NO_RESULT, decide
from cxrkit.rundir import RunDirectory


@dataclass(frozen=True)
class Cases:
    """The chosen images, errors first.

    Attributes:
        images: names.
        rule: how they were chosen, in a sentence.
    """

    images: list[str]
    rule: str


def choose(run: RunDirectory, *, set_name: str = "test", most: int, correct: int) -> Cases:
    """Choose the images that figures, thumbnails and the error analysis show.

    Args:
        run: an evaluated run directory; tasks on other images than the first one's are left out.
        set_name: the set to choose from.
        most: images at most.
        correct: how many of them are examples that every task got right, balanced over the classes; where there are
            errors enough, half of ``most`` at most.
    """
    tasks = [task for task in finished_tasks(run) if task.info.threshold and task.path(set_name).is_file()]
    loaded = _on_the_same_images(tasks, set_name)
    if not loaded or most == 0:
        return Cases([], "No image was chosen.")
    first = loaded[0][0]
    wrong, surest = _errors(loaded)
    errors = _by_turns(first.labels, wrong.sum(axis=0), surest, first.images)
    room = max(most // 2, most - len(errors))  # however few are shown, errors have their half
    right = _right_examples(first, wrong, min(correct, room))
    shown = errors[: most - len(right)]
    rule = _rule(len(shown), len(errors), len(right), len(loaded))
    return Cases([str(first.images[row]) for row in [*shown, *right]], rule)


def _on_the_same_images(tasks: Sequence[FinishedTask], set_name: str) -> list[tuple[Predictions, float]]:
    """Load the tasks' predictions in the first one's order, each with its threshold."""
    loaded: list[tuple[Predictions, float]] = []
    for task in tasks:
        found = task.read(set_name)
        try:
            aligned = aligned_to(loaded[0][0], found) if loaded else found
        except InputError:
            continue
        loaded.append((aligned, task.threshold))
    return loaded


def _errors(loaded: Sequence[tuple[Predictions, float]]) -> tuple[np.ndarray, FloatArray]:
    """Return bool[tasks, n], which results are wrong, and float64[n], the largest confidence of a wrong one."""
    wrong, surely = [], []
    for found, threshold in loaded:
        called = decide(found.probabilities, found.positive_index, threshold)
        mistaken = (called != found.labels) & (called != NO_RESULT)
        wrong.append(mistaken)
        surely.append(np.where(mistaken, confidence(found, called, threshold), 0))
    return np.array(wrong), np.max(surely, axis=0)


def confidence(found: Predictions, called: IntArray, threshold: float) -> FloatArray:
    """Measure how far beyond the threshold a score lies, as a share of the way to the end of its range.

    Args:
        found: n predictions.
        called: int64[n], the classes that the threshold made of them.
        threshold: on the score of the positive class.

    Returns:
        float64[n], 0 … 1.
    """
    low, high = (0.0, 1.0) if found.scale != "score" else (np.nanmin(found.score), np.nanmax(found.score))
    score, tiny = np.nan_to_num(found.score), np.finfo(float).tiny
    with np.errstate(over="ignore"):  # of the side that the threshold leaves no room on, which no score is on
        above = (score - threshold) / max(high - threshold, tiny)
        below = (threshold - score) / max(threshold - low, tiny)
    return np.where(called == found.positive_index, above, below)


def _by_turns(labels: IntArray, shared: IntArray, surest: FloatArray, images: np.ndarray) -> list[int]:
    """Order the errors: classes by turns, in each those of most tasks first, then the most confident ones."""
    rows = np.flatnonzero(shared)
    order = sorted(rows.tolist(), key=lambda row: (-shared[row], -surest[row], images[row]))
    turn: dict[int, int] = {}
    ranked = []
    for row in order:
        label = int(labels[row])
        ranked.append((turn.get(label, 0), label, row))
        turn[label] = turn.get(label, 0) + 1
    return [row for _, _, row in sorted(ranked)]


def _right_examples(first: Predictions, wrong: np.ndarray, number: int) -> list[int]:
    """Take examples that no task got wrong, classes by turns, in an order that no score has a part in."""
    right = np.flatnonzero(~wrong.any(axis=0) & (first.status == OK)).tolist()
    by_class = [
        sorted((row for row in right if first.labels[row] == label), key=lambda row: digest(str(first.images[row])))
        for label in range(len(first.class_names))
    ]
    longest = max((len(rows) for rows in by_class), default=0)
    turns = [rows[turn] for turn in range(longest) for rows in by_class if turn < len(rows)]
    return turns[:number]


def _rule(shown: int, errors: int, right: int, tasks: int) -> str:
    which = "All" if shown == errors else f"{shown} of the"
    order = "" if shown == errors else " (classes by turns, errors of most models first, then the most confident)"
    whose = "the model" if tasks == 1 else f"at least one of {tasks} models"
    who = "it" if tasks == 1 else "every model"
    return f"{which} {errors} images that {whose} got wrong{order}, and {right} that {who} got right, drawn at random."
