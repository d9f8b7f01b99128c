"""What a data set promises."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cxrkit.api import ManifestRow
from cxrkit.errors import InputError
from cxrkit.testing import phantoms
from cxrkit.testing.check import UncheckedError, need

SPLITS = ("train", "val", "test", "")  # the last where the folder has none


@dataclass
class Dataset:
    """A data set under examination.

    Attributes:
        index: the plugin's function.
        options: of it.
        data: a folder or file that it reads; by default it is given a phantom.
    """

    index: Callable[..., Any]
    options: Mapping[str, Any]
    data: Path | None = None
    _found: list[tuple[Path, list[Any]]] = field(default_factory=list)

    def listed(self, root: Path) -> list[Any]:
        """List the rows of a folder or file."""
        return list(self.index(root, **self.options))

    @property
    def read(self) -> tuple[Path, list[Any]]:
        """What was read, and its rows; read once.

        Raises:
            UncheckedError: it reads no phantom, and nothing else was given.
        """
        if not self._found:
            self._found.append(self._read())
        return self._found[0]

    def _read(self) -> tuple[Path, list[Any]]:
        if self.data is not None:
            return self.data, self.listed(self.data)
        for root in (phantoms.folder(), phantoms.folder() / "phantom.csv"):
            with suppress(InputError):
                if rows := self.listed(root):
                    return root, rows
        raise UncheckedError("it does not read the folder of cxrkit data phantom, give one of its own with --data")


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def refuses_what_is_not_there(dataset: Dataset) -> None:
    """A folder that is not there is refused with an InputError."""
    with TemporaryDirectory(prefix="cxrkit-") as directory:
        try:
            dataset.listed(Path(directory) / "missing")
        except InputError:
            return
    need(condition=False, found="it is read like any other, raise cxrkit.errors.InputError")


def lists_rows(dataset: Dataset) -> None:
    """Lists its images as ManifestRow, one at least of each of two classes."""
    _, rows = dataset.read
    other = next((type(row).__name__ for row in rows if not isinstance(row, ManifestRow)), None)
    need(other is None, f"lists a {other}, cxrkit.api.ManifestRow is needed")
    labels = {row.label for row in rows if not row.excluded}
    need(len(labels) > 1, f"lists {len(rows)} rows with the classes {', '.join(sorted(labels)) or 'of nothing'}")


def labels_what_it_uses(dataset: Dataset) -> None:
    """Each row that is used has a label, and is of train, val or test or of no split."""
    _, rows = dataset.read
    used = [row for row in rows if not row.excluded]
    bare = [row.image for row in used if not (isinstance(row.label, str) and row.label)]
    need(not bare, f"{len(bare)} rows have no label, the first is {bare[:1]}; say in `excluded` why it is not used")
    strange = sorted({repr(row.split) for row in used if row.split not in SPLITS})
    need(not strange, f"has the splits {', '.join(strange)}, allowed are train, val, test")


def names_files(dataset: Dataset) -> None:
    """Images are named once, with forward slashes, by their path below what is read."""
    root, rows = dataset.read
    names = [row.image for row in rows]
    need(len(set(names)) == len(names), f"{len(names) - len(set(names))} images are named twice")
    base = root if root.is_dir() else root.parent
    for row in rows:
        inside = "\\" not in row.image and not Path(row.image).is_absolute() and ".." not in Path(row.image).parts
        need(inside, f'names "{row.image}", a relative path with forward slashes is needed')
        need(row.excluded or (base / row.image).is_file(), f'names "{row.image}", which is no file below {base}')


def has_columns_of_text(dataset: Dataset) -> None:
    """Patients, and whatever else is told of an image, are text."""
    _, rows = dataset.read
    for row in rows:
        cells = {"patient": row.patient, "excluded": row.excluded}
        texts = all(value is None or isinstance(value, str) for value in cells.values())
        need(texts, f"{row.image}: {cells}, text or None is needed")
        columns = all(isinstance(part, str) for item in row.columns.items() for part in item)
        need(columns, f"{row.image}: the columns are {dict(row.columns)}, text is needed")


def lists_the_same_again(dataset: Dataset) -> None:
    """Read again, it gives the same rows in the same order."""
    root, rows = dataset.read
    need(dataset.listed(root) == rows, "the second time gives others, sort what a folder lists")


PROMISES = (
    refuses_what_is_not_there,
    lists_rows,
    labels_what_it_uses,
    names_files,
    has_columns_of_text,
    lists_the_same_again,
)
