"""How a report calls images and patients: as their files do, or by pseudonyms; and never by where a file lies."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from cxrkit.api import Predictions, ReportSection
from cxrkit.files import digest
from cxrkit.records import SectionRecord

Kind = TypeVar("Kind", bound=BaseModel)
_FOLDER = r"[^\s/\\:\"']+(?:(?<!\.\w\w\w)(?<!\.\w\w\w\w)(?: [A-Z0-9][^\s/\\:\"',;]*)+)?[\\/]"
"""A folder's name, of several words as well, as ``Dr Meyer``; those behind a file's name are the sentence's."""

FOLDERS = re.compile(rf"(?<![\w./\\])(?:file:///?|[A-Za-z]:[\\/]|\\\\|/(?!/))(?:{_FOLDER})+(?=[^\s/\\])")
"""The folders of an absolute path, of any system."""

_EXAMPLE = re.compile(r"(?<=, e\.g\. )(?P<key>[^()]++)(?P<end>\(?)|^[^:]+(?=: )")
"""A patient's key where cxrkit itself names one as an example, see :mod:`cxrkit.data.checks`: up to `` (`` or ``: ``.

All up to a bracket is taken at once, also where none opens: else a text of nothing but examples takes hours.
"""

_WORDS = re.compile(r"[^\s\"'(),;]+")
_ENDS = ".:!?"
_SHORTEST = 4
"""Letters of the shortest key that is looked for within sentences, where ``12`` may be anything."""

_LONGEST_NUMBER = 5
"""Digits up to which a bare number within a sentence is taken for a number, and not for somebody's key."""

_OF_IMAGES = frozenset({"image", "images", "examples"})
_OF_PATIENTS = frozenset({"patient", "patients"})
_PLACES = frozenset({"overlay", "map", "sha256"})
"""Keys that say where a picture lies, which no report shows."""

_OWN_COLUMNS = frozenset({"image", "patient", "split", "label", "sha256"})


def without_folders(text: str) -> str:
    """Leave of each absolute path in a text the file's name: where it lies on this machine is no reader's business."""
    for folder in _own_folders():
        text = re.sub(rf"{re.escape(folder)}[\\/](?:{_FOLDER})*", "", text)
    return FOLDERS.sub("", text)


def _own_folders() -> Iterable[str]:
    """Give the working folder and the home folder, whose names may be of any words."""
    for place in (Path.cwd, Path.home):
        try:
            folder = place()
        except (RuntimeError, OSError):  # there is none
            continue
        if len(folder.parts) > 1:
            yield str(folder)


@dataclass(frozen=True)
class Names:
    """What a report calls images and patients.

    Attributes:
        images: name → pseudonym; empty where they are called as they are.
        patients: key → pseudonym.
        words: what is never taken for somebody's key within a sentence: classes, tasks, sets.
        shown: manifest columns that may stand beside an image; None for all.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    shown: frozenset[str] | None = None

    @property
    def digest(self) -> str:
        """A digest of all that is called otherwise than it is."""
        return digest("\n".join([*self.images.values(), *self.patients.values(), *sorted(self.shown or ())]))

    def image(self, name: str) -> str:
        """Call an image."""
        return self.images.get(name, name)

    def patient(self, key: str) -> str:
        """Call a patient; one that is an image of its own is called as that."""
        return self.images.get(key) or self.patients.get(key, key)

    def text(self, text: str) -> str:
        """Hide in a sentence what it may name: folders, and images and patients that have pseudonyms."""
        text = without_folders(text)
        if not self.images:
            return text
        text = _EXAMPLE.sub(self._example, text)
        text = self._odd.sub(lambda found: self._known[found[0]], text) if self._odd else text
        return _WORDS.sub(lambda found: self._called(found[0]), text)

    def predictions(self, found: Predictions) -> Predictions:
        """Rename the images and patients of predictions, in their order."""
        if not self.images:
            return found
        return replace(
            found,
            images=_renamed(found.images, self.image),
            patients=_renamed(found.patients, self.patient),
        )

    def document(self, found: Kind) -> Kind:
        """Rename what a file of the run directory says, by the key that it stands under or as a sentence."""
        renamed: Kind = self._value(found, "")
        return renamed

    def written(self, found: list[Any]) -> list[Any]:
        """Do the same with what metric reporters wrote: sections, or sentences."""
        return [self.record(one) if isinstance(one, SectionRecord) else self.text(one) for one in found]

    def record(self, found: SectionRecord) -> SectionRecord:
        """Rename what a metric reporter wrote; its pictures stay as they are."""
        renamed = self.document(found)
        columns = [column.strip().lower() for column in found.columns]
        return renamed.model_copy(update={"rows": [self._row(columns, row) for row in found.rows]})

    def row(self, found: Mapping[str, str]) -> dict[str, str]:
        """Rename a row of the manifest, and leave out what is no subgroup and may tell who somebody is."""
        if self.shown is None:
            return dict(found)
        return {
            name: str(self._value(value, name))
            for name, value in found.items()
            if name in self.shown or name in _OWN_COLUMNS
        }

    def section(self, found: ReportSection) -> ReportSection:
        """Rename what a plugin wrote; its pictures stay as they are."""
        columns = [column.strip().lower() for column in found.columns]
        return replace(
            found,
            title=self.text(found.title),
            paragraphs=tuple(map(self.text, found.paragraphs)),
            columns=tuple(map(self.text, found.columns)),
            rows=tuple(tuple(self._row(columns, row)) for row in found.rows),
            figures=tuple(
                replace(one, caption=self.text(one.caption), alt=self.text(one.alt)) for one in found.figures
            ),
        )

    def _row(self, columns: Sequence[str], row: Sequence[str]) -> list[str]:
        return [str(self._value(text, column)) for column, text in zip(columns, row, strict=False)]

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, str):
            return value if key in _PLACES else self._called_under(key, value)
        if isinstance(value, BaseModel):
            renamed = {name: self._value(getattr(value, name), name) for name in type(value).model_fields}
            return value.model_copy(update=renamed)
        if isinstance(value, Mapping):
            return {self.text(name): self._value(one, name) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._value(one, key) for one in value)
        return value

    def _called_under(self, key: str, value: str) -> str:
        if key in _OF_IMAGES and value in self.images:
            return self.images[value]
        return self.patient(value) if key in _OF_PATIENTS else self.text(value)

    def _example(self, found: "re.Match[str]") -> str:
        key, space = (found["key"][:-1], found["key"][-1]) if found["key"] else (found[0], "")
        if found["key"] and (space, found["end"]) != (" ", "("):
            return found[0]
        return self.patients.get(key, key) + space + (found["end"] or "")

    def _called(self, word: str) -> str:
        """Rename a word, with what of a path stands before a known name and the stop behind it."""
        bare = word.rstrip(_ENDS)
        end = word[len(bare) :]
        parts = bare.replace("\\", "/").split("/")
        for place in range(len(parts)):
            name = self._known.get("/".join(parts[place:]))
            if name is not None:
                return name + end
        return word

    @cached_property
    def _known(self) -> dict[str, str]:
        """What is looked for within sentences: names, files' names and their stems, and keys; the first one counts."""
        known: dict[str, str] = {}
        for name, pseudonym in self.images.items():
            known.setdefault(name, pseudonym)
            known.setdefault(Path(name).name, pseudonym)
            known.setdefault(Path(name).stem, pseudonym)
        for key, pseudonym in self.patients.items():
            known.setdefault(key, pseudonym)
        return {name: pseudonym for name, pseudonym in known.items() if self._is_telling(name)}

    @cached_property
    def _odd(self) -> "re.Pattern[str] | None":
        """Known names that are no single word, the longest first."""
        odd = sorted((name for name in self._known if not _WORDS.fullmatch(name)), key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, odd))})(?!\w)") if odd else None

    def _is_telling(self, name: str) -> bool:
        is_number = name.isdecimal() and len(name) <= _LONGEST_NUMBER
        return len(name) >= _SHORTEST and not is_number and name not in self.words


def _renamed(names: Any, called: Callable[[str], str]) -> Any:
    return np.array([called(str(name)) for name in names.tolist()], dtype=np.str_)


AS_THEY_ARE = Names()
"""No pseudonyms."""
