"""The manifest: every file that was found, where it belongs, and why some are not used."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from cxrkit import bounded
from cxrkit.data.images import Look
from cxrkit.errors import InputError
from cxrkit.files import digest, write_text
from cxrkit.records import DataSummary

FIRST = ("image", "split", "label", "patient")
LAST = ("sha256", "width", "height", "excluded")
MOST_BYTES = 1000 * bounded.MEGABYTE
SPLITS = ("train", "val", "test")
_TRAINED_ON = ["image", "split", "label", "patient", "sha256"]


@dataclass(frozen=True)
class Manifest:
    """All files of a data set.

    Attributes:
        frame: columns ``image``, ``split``, ``label``, ``patient``, subgroup columns, ``sha256``, ``width``, ``height``
            (pixels, 0 where unreadable), ``excluded`` (why, or empty). Text columns hold no missing values.
        roots: split or external set → the folder that its images' names are relative to.
        notes: sentences that the report repeats.
        patient_rule: how patients were told apart, in words.
        looks: file hash → what the image looks like, while the files have just been read; no part of the CSV file.
    """

    frame: pd.DataFrame
    roots: Mapping[str, Path]
    notes: Sequence[str] = ()
    patient_rule: str | None = None
    looks: Mapping[str, Look] = field(default_factory=dict, repr=False)

    def of(self, split: str) -> pd.DataFrame:
        """Return the usable rows of a split, by image name, indexed from 0."""
        frame = self.usable
        return frame[frame["split"] == split].sort_values("image", kind="stable").reset_index(drop=True)

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that are not excluded."""
        return self.frame[self.frame["excluded"] == ""]

    @property
    def sets(self) -> list[str]:
        """The splits and external sets that hold usable images: train, val, test, then the others as configured."""
        present = set(self.usable["split"])
        return [name for name in dict.fromkeys((*SPLITS, *self.roots)) if name in present]

    def path(self, row: Any) -> Path:
        """Locate the file of a row (anything with ``split`` and ``image``: a Series, an ``itertuples`` row)."""
        return self.roots[row.split] / str(row.image)

    def paths(self, split: str) -> list[Path]:
        """Locate the files of :meth:`of`, in its order."""
        return [self.roots[split] / image for image in self.of(split)["image"]]

    def text(self) -> str:
        """Return the CSV file's text."""
        return self.frame.to_csv(index=False, lineterminator="\n")

    def write(self, path: Path) -> None:
        """Write the CSV file whole or not at all."""
        write_text(path, self.text())

    @classmethod
    def read(cls, path: Path, roots: Mapping[str, Path]) -> "Manifest":
        """Read what :meth:`write` wrote.

        Raises:
            InputError: it is missing, or is no manifest.
        """
        content = bounded.content(path, MOST_BYTES, "missing, a run with data has one")
        try:
            frame = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8")
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: no manifest ({' '.join(str(error).split())})") from None
        missing = [column for column in (*FIRST, *LAST) if column not in frame]
        if missing:
            raise InputError(f"{path}: no manifest, columns are missing: {', '.join(missing)}")
        try:
            return cls(frame.astype({"width": "int64", "height": "int64"}), dict(roots))
        except (ValueError, OverflowError):
            raise InputError(f"{path}: no manifest, a width or height is no whole number") from None

    def digest(self, *splits: str) -> str:
        """Hash what a training on these splits depends on; without any, the manifest file as it is written.

        Returns:
            SHA-256 as hexadecimal digits. With splits: of image, split, label, patient and file hash of their usable
            rows, so that neither a subgroup column nor an excluded file changes it.
        """
        if not splits:
            return digest(self.text())
        rows = pd.concat([self.of(split) for split in splits])
        return digest(rows[_TRAINED_ON].to_csv(index=False, lineterminator="\n"))

    def summary(self) -> DataSummary:
        """Count what the data flow diagram shows."""
        return DataSummary(
            found=len(self.frame),
            excluded=_counted(self.frame.loc[self.frame["excluded"] != "", "excluded"]),
            counts={name: dict(sorted(Counter(self.of(name)["label"]).items())) for name in self.sets},
            patients={name: int(self.of(name)["patient"].nunique()) for name in self.sets},
            notes=list(self.notes),
            patient_rule=self.patient_rule,
            manifest_sha256=self.digest(),
        )


def arranged(frame: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    """Order columns as the contract has them, and rows by set and image name."""
    extra = sorted(set(frame.columns) - {*FIRST, *LAST})
    rank = {name: place for place, name in enumerate(dict.fromkeys((*SPLITS, *sets)))}
    order = frame.assign(_rank=frame["split"].map(rank).fillna(len(rank))).sort_values(["_rank", "image"])
    return order[[*FIRST, *extra, *LAST]].reset_index(drop=True)


def _counted(reasons: "pd.Series[str]") -> dict[str, int]:
    return dict(Counter(reasons).most_common())
