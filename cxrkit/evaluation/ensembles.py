"""Several tasks as one, from their predictions alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cxrkit.api import FloatArray, Predictions
from cxrkit.config.schema import EnsembleTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.finished import FinishedTask
from cxrkit.evaluation.predictions import OK, aligned_to, log_scores, softmax
from cxrkit.files import sha256
from cxrkit.records import EnsembleRecord, PriorRecord, TaskInfo
from cxrkit.rundir import RunDirectory, TaskDirectory

ROUNDS = 1000  # of the expectation-maximisation, which settles within a few hundred
SETTLED = 1e-10


def write(run: RunDirectory, table: EnsembleTable, members: Sequence[FinishedTask]) -> TaskInfo:
    """Write the predictions of an ensemble on every set and condition that all members have, if anything changed.

    Args:
        run: the run directory.
        table: of the ensemble.
        members: in its order, all finished.

    Returns:
        What ``task.json`` now says.

    Raises:
        InputError: a member gives no probabilities, or the members' images or classes differ.
    """
    _check_scales(table, members)
    directory = run.task(table.name)
    pairs = [pair for pair in members[0].sets() if all(pair in member.sets() for member in members[1:])]
    before, sources = _known(directory), _sources(members, pairs)
    if _is_combined(before, table, sources) and all(directory.predictions(*pair).is_file() for pair in pairs):
        return before
    weights = _weights(table, members)
    found = {pair: combine([member.read(*pair) for member in members], table.method, weights) for pair in pairs}
    _remove_others(directory, pairs)
    for pair, combined in found.items():
        predictions.write(directory.predictions(*pair), replace(combined, task=table.name))
    info = before.model_copy(update=_described(table, members, weights, pairs) | {"sources": sources})
    info.write(directory.info)
    return info


def combine(members: Sequence[Predictions], method: str, weights: Sequence[float]) -> Predictions:
    """Combine several models' predictions of the same images.

    Args:
        members: of one set and condition, with probabilities.
        method: ``mean`` and ``validation-weighted`` average probabilities, ``logit-mean`` logits.
        weights: of each member, summing to 1.

    Returns:
        In the first member's order; an image that any member has no result for has none.

    Raises:
        InputError: the members' images, labels or classes differ.
    """
    first = members[0]
    aligned = [aligned_to(first, member) for member in members]
    status = first.status
    for member in aligned[1:]:
        status = np.where(status == OK, member.status, status)
    logits = _averaged([log_scores(member) for member in aligned], weights) if method == "logit-mean" else None
    if logits is None:
        probabilities = _averaged([member.probabilities for member in aligned], weights)
    else:
        logits[status != OK] = np.nan
        probabilities = softmax(logits)
    probabilities[status != OK] = np.nan
    return replace(first, status=status, logits=logits, probabilities=probabilities)


def best_weights(members: Sequence[Predictions]) -> list[float]:
    """Weigh members so that the mean of their probabilities is most likely on validation.

    The log loss of a weighted mean is convex in the weights, and expectation-maximisation for the weights of a mixture
    (Dempster, Laird & Rubin 1977) finds its minimum with weights of at least 0 that sum to 1; so weighted a mean is a
    stacked prediction (Wolpert 1992; Breiman 1996).

    Args:
        members: of the same validation images.

    Returns:
        As many weights; equal ones where no image has a result of every member.
    """
    first = members[0]
    aligned = [aligned_to(first, member) for member in members]
    usable = np.all([member.status == OK for member in aligned], axis=0)
    rows, labels = np.flatnonzero(usable), first.labels[usable]
    weights = np.full(len(members), 1 / len(members))
    if not len(rows):
        return weights.tolist()
    likelihood = np.stack([member.probabilities[rows, labels] for member in aligned])
    likelihood = np.maximum(likelihood, np.finfo(float).tiny)
    for _ in range(ROUNDS):
        shares = weights[:, None] * likelihood
        updated = (shares / shares.sum(axis=0)).mean(axis=1)
        if np.abs(updated - weights).max() < SETTLED:
            break
        weights = updated
    found: list[float] = updated.tolist()
    return found


def prior_of(members: Sequence[TaskInfo], weights: Mapping[str, float], method: str) -> PriorRecord | None:
    """Combine the class shares that the members' trainings saw.

    Exact for the logarithmic mean, where the shifts of the members' log odds average; an approximation for the mean of
    probabilities.

    Args:
        members: as they were settled.
        weights: member → weight.
        method: of the ensemble.

    Returns:
        None where no member's shares were changed, or a member's are not known.
    """
    shifted = [member for member in members if member.prior is not None]
    if not shifted or any(member.kind == "predictions" for member in members):
        return None
    natural = np.array(shifted[0].prior.natural) if shifted[0].prior else np.array([])
    seen = [np.array(member.prior.seen) if member.prior else natural for member in members]
    of_members = [weights[member.task] for member in members]
    if method == "logit-mean":
        combined = np.exp(_averaged([np.log(shares) for shares in seen], of_members))
    else:
        combined = _averaged(seen, of_members)
    return PriorRecord(seen=(combined / combined.sum()).tolist(), natural=natural.tolist())


def _check_scales(table: EnsembleTable, members: Sequence[FinishedTask]) -> None:
    where = f'ensemble "{table.name}"'
    wrong = [member.info for member in members if member.info.scale != "probability"]
    if wrong:
        raise InputError(
            *(f'{where}: task "{info.task}" gives {info.scale}s, only probabilities can be combined' for info in wrong)
        )


def _weights(table: EnsembleTable, members: Sequence[FinishedTask]) -> list[float]:
    if table.method != "validation-weighted":
        return [1 / len(members)] * len(members)
    return best_weights([member.read("val") for member in members])


def _sources(members: Sequence[FinishedTask], pairs: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Describe what is combined: member and file → its hash."""
    files = [(member.info.task, member.path(*pair)) for member in members for pair in pairs]
    return {f"{name} {path.stem}": sha256(path) for name, path in files}


def _is_combined(before: TaskInfo, table: EnsembleTable, sources: Mapping[str, str]) -> bool:
    made = None if before.ensemble is None else (before.ensemble.method, before.members, before.sources)
    return made == (table.method, list(table.members), sources)


def _remove_others(directory: TaskDirectory, pairs: Sequence[tuple[str, str | None]]) -> None:
    """Remove what an earlier choice of members or conditions left."""
    kept = {directory.predictions(*pair) for pair in pairs}
    for path in set(directory.predictions("test").parent.glob("*.csv")) - kept:
        path.unlink()


def _known(directory: TaskDirectory) -> TaskInfo:
    """Keep what an evaluation of the same predictions wrote."""
    before = TaskInfo.read(directory.info) if directory.info.is_file() else None
    if before is not None and before.kind == "ensemble":  # else a task had this name before
        return before
    return TaskInfo(task=directory.name, kind="ensemble", state="finished")


def _described(
    table: EnsembleTable,
    members: Sequence[FinishedTask],
    weights: Sequence[float],
    pairs: Sequence[tuple[str, str | None]],
) -> dict[str, object]:
    return {
        "kind": "ensemble",
        "state": "finished",
        "failure": None,
        "class_names": members[0].info.class_names,
        "positive": members[0].info.positive,
        "members": list(table.members),
        "ensemble": EnsembleRecord(method=table.method, weights=dict(zip(table.members, weights, strict=True))),
        "sets": list(dict.fromkeys(name for name, _ in pairs)),
    }


def _averaged(values: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    return np.asarray(np.average(values, axis=0, weights=weights), dtype=np.float64)
