"""The columns of prediction and label files that a file's own may be mapped to."""

from collections.abc import Iterable, Iterator

from cxrkit.errors import InputError, nearest

OF_PREDICTIONS = ("image", "study", "patient", "label", "status", "score", "decision")
OF_CLASSES = ("p_", "logit_")
OF_LABELS = ("image", "study", "patient", "label")
COLUMN_HINT = "--column: says what a file calls a column, as image=sop_uid"


def lacks_column(error: InputError) -> bool:
    """Say whether a file was refused for a column that it may have under another name."""
    return any('column "' in problem and '" is missing' in problem for problem in error.problems)


def wrong_columns(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that no column of a prediction file has, and each that excludes another, with a sentence."""
    given = list(names)
    for name in given:
        if name not in OF_PREDICTIONS and not any(name.startswith(one) and name != one for one in OF_CLASSES):
            yield name, f"unknown column, {nearest(name, [*OF_PREDICTIONS, *(f'{one}<CLASS>' for one in OF_CLASSES)])}"
    figures = ["p_<CLASS>"] if any(name.startswith("p_") for name in given) else []
    figures += [name for name in ("score", "decision") if name in given]
    if len(figures) > 1:
        yield figures[-1], f"is one figure too many beside {figures[0]}, map what the model gives once"


def wrong_label_columns(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that no column of a label file has, with a sentence."""
    for name in names:
        if name not in OF_LABELS:
            yield name, f"unknown column, {nearest(name, OF_LABELS)}"
