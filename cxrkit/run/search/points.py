"""Which values are tried: the points of a grid, random ones, or those that Optuna proposes.

Trial *n* depends on the table ``[search]`` and the trials before it alone, so that a search that was killed goes on as
if it had not been.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np

from cxrkit.config.search import RangeTable, SearchTable
from cxrkit.config.writing import inline
from cxrkit.errors import InputError
from cxrkit.records import TrialRecord

if TYPE_CHECKING:
    import optuna

Values = dict[str, Any]
"""Varied key → value, in the order of the space."""

DIGITS = 4  # significant ones of a drawn number: no result depends on more, and they can be read


def planned(table: SearchTable) -> list[Values] | None:
    """List the values of every trial; None where they depend on what the trials find."""
    if table.method == "optuna":
        return None
    if table.method == "grid":
        columns = [grid_values(dimension) for dimension in table.space.values()]
        return [dict(zip(table.space, point, strict=True)) for point in product(*columns)]
    return list(islice(_drawn(table), draws(table)))


def size(table: SearchTable) -> float:
    """Count the points of the space: infinite where it has a range of numbers that are not whole."""
    return math.prod(_count(dimension) for dimension in table.space.values())


def draws(table: SearchTable) -> int:
    """Say how many points are drawn at random: as many as asked for, by default no more than there are."""
    return table.trials if "trials" in table.model_fields_set else int(min(table.trials, size(table)))


def corners(table: SearchTable) -> list[Values]:
    """List the first values of all keys together, and each other value and each end of a range in the place of one."""
    edges = {key: _edges(dimension) for key, dimension in table.space.items()}
    first = {key: values[0] for key, values in edges.items()}
    return [first] + [first | {key: value} for key, values in edges.items() for value in values[1:]]


def grid_values(dimension: RangeTable | tuple[Any, ...]) -> list[Any]:
    """List a key's values in a grid; those of a range evenly, both ends among them."""
    if not isinstance(dimension, RangeTable):
        return list(dimension)
    spaced = np.geomspace if dimension.log else np.linspace
    between = spaced(dimension.low, dimension.high, dimension.points or 2)[1:-1]
    inner = [round(value) if dimension.whole else _rounded(float(value), dimension) for value in between]
    return list(dict.fromkeys([dimension.low, *inner, dimension.high]))


def proposed(table: SearchTable, trials: Sequence[TrialRecord]) -> Values:
    """Let Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) propose values from what was found so far.

    Args:
        table: ``[search]``.
        trials: all before, in their order; failed ones count as tried.

    Raises:
        InputError: Optuna is not installed.
    """
    library = _optuna()
    distributions = {key: _distribution(library, dimension) for key, dimension in table.space.items()}
    # A sampler of its own for each trial: the state of one that is used on would be lost with the process.
    seed = int(np.random.SeedSequence((table.seed, len(trials))).generate_state(1)[0])
    study = library.create_study(
        direction="minimize" if is_falling(table.metric) else "maximize",
        sampler=library.samplers.TPESampler(seed=seed),
    )
    study.add_trials([_as_optuna(library, trial, table, distributions) for trial in trials])
    asked = study.ask(distributions).params
    return {key: _from_optuna(asked[key], dimension) for key, dimension in table.space.items()}


def is_falling(metric: str) -> bool:
    """Say whether less of a figure is better."""
    return metric.endswith("_loss")


# ── Random ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _drawn(table: SearchTable) -> Iterator[Values]:
    """Draw points without end, each once; more trials begin with the same points as fewer."""
    generator = np.random.default_rng(table.seed)
    seen: set[str] = set()
    while True:
        values = {key: _one(dimension, generator) for key, dimension in table.space.items()}
        if inline(values) not in seen:
            seen.add(inline(values))
            yield values


def _one(dimension: RangeTable | tuple[Any, ...], generator: np.random.Generator) -> Any:
    if not isinstance(dimension, RangeTable):
        return dimension[int(generator.integers(len(dimension)))]
    low, high = dimension.low, dimension.high + (1 if dimension.whole else 0)
    ends = (math.log(low), math.log(high)) if dimension.log else (low, high)
    drawn = math.exp(generator.uniform(*ends)) if dimension.log else generator.uniform(*ends)
    return min(math.floor(drawn), dimension.high) if dimension.whole else _rounded(drawn, dimension)


def _rounded(value: float, dimension: RangeTable) -> float:
    return float(min(max(float(f"{value:.{DIGITS}g}"), dimension.low), dimension.high))


def _count(dimension: RangeTable | tuple[Any, ...]) -> float:
    if not isinstance(dimension, RangeTable):
        return len(dimension)
    return dimension.high - dimension.low + 1 if dimension.whole else math.inf


def _edges(dimension: RangeTable | tuple[Any, ...]) -> list[Any]:
    return [dimension.low, dimension.high] if isinstance(dimension, RangeTable) else list(dimension)


# ── Optuna ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError('search.method: "optuna" needs Optuna, pip install "cxrkit[search]"') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def need_optuna() -> None:
    """Look for Optuna.

    Raises:
        InputError: it is not installed.
    """
    _optuna()


def _distribution(library: Any, dimension: RangeTable | tuple[Any, ...]) -> "optuna.distributions.BaseDistribution":
    if not isinstance(dimension, RangeTable):
        return library.distributions.CategoricalDistribution([inline(value) for value in dimension])
    kind = library.distributions.IntDistribution if dimension.whole else library.distributions.FloatDistribution
    return kind(dimension.low, dimension.high, log=dimension.log)


def _as_optuna(
    library: Any, trial: TrialRecord, table: SearchTable, distributions: Mapping[str, Any]
) -> "optuna.trial.FrozenTrial":
    listed = {key for key, dimension in table.space.items() if not isinstance(dimension, RangeTable)}
    finished = trial.state == "finished"
    return library.trial.create_trial(
        params={key: inline(value) if key in listed else value for key, value in trial.values.items()},
        distributions=dict(distributions),
        value=trial.metric if finished else None,
        state=library.trial.TrialState.COMPLETE if finished else library.trial.TrialState.FAIL,
    )


def _from_optuna(value: Any, dimension: RangeTable | tuple[Any, ...]) -> Any:
    if isinstance(dimension, RangeTable):
        return value if dimension.whole else _rounded(value, dimension)
    return next(one for one in dimension if inline(one) == value)
