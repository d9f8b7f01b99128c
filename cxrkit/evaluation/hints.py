"""What trainings may suggest, read from their histories and validation images; see :mod:`.hint_rules`."""

from collections.abc import Iterable, Iterator

from cxrkit.evaluation.hint_rules import Trained, of_history, of_validation
from cxrkit.evaluation.predictions import read
from cxrkit.evaluation.table import records
from cxrkit.rundir import SeedDirectory


def of_tasks(tasks: Iterable[Trained]) -> list[str]:
    """Say what trainings may suggest, each sentence once.

    Args:
        tasks: finished; those that were not trained here are passed over.

    Returns:
        Sentences that begin with the models' names. None claims more than "may".
    """
    names: dict[str, list[str]] = {}
    for task in tasks:
        for sentence in _of_task(task) if task.info.kind == "trained" else ():
            names.setdefault(sentence, []).append(task.name)
    return [f"{', '.join(called)}: {sentence}" for sentence, called in names.items()]


def history(directory: SeedDirectory) -> tuple[dict[str, float], ...]:
    """Read ``history.csv``, a row for each epoch; what is no number is NaN."""
    if not directory.history.is_file():
        return ()
    return tuple({name: _number(value) for name, value in row.items()} for row in records(directory.history))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _of_task(task: Trained) -> Iterator[str]:
    """Give one sentence for each rule, of the first seed that it holds for, with the others that it holds for."""
    seeds: dict[str, list[int]] = {}
    sentences: dict[str, str] = {}
    for seed in task.info.seeds:
        for rule, sentence in _of_seed(task, task.directory.seed(seed)):
            seeds.setdefault(rule, []).append(seed)
            sentences.setdefault(rule, sentence)
    for rule, sentence in sentences.items():
        held, several = seeds[rule], len(task.info.seeds) > 1 and rule != "few images"
        others = f" (so with {', '.join(f'seed {seed}' for seed in held[1:])})" if held[1:] and several else ""
        yield f"with seed {held[0]}, {sentence}{others}." if several else f"{sentence}."


def _of_seed(task: Trained, directory: SeedDirectory) -> Iterator[tuple[str, str]]:
    yield from of_history(history(directory), task)
    path = directory.predictions("val")
    if path.is_file() and task.info.positive is not None:
        names, positive = task.info.class_names, task.info.positive
        yield from of_validation(read(path, task=task.name, set_name="val", class_names=names, positive=positive), task)
