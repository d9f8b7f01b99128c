"""Which images are of one patient."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

import pandas as pd

from cxrkit.config.schema import ColumnRule, NamedRule, RegexRule
from cxrkit.errors import InputError, nearest

PatientRule = NamedRule | RegexRule | ColumnRule

# Bacterial and viral patients are numbered apart: person12_bacteria and person12_virus are two children. The Mendeley
# release names the same images BACTERIA-1008087-0001.
_PNEUMONIA = re.compile(r"person(?P<number>\d+)_(?P<pathogen>bacteria|virus)_\d+", re.IGNORECASE)
_NORMAL = re.compile(r"(?P<series>(?:NORMAL\d*-)?IM)-(?P<number>\d+)-\d+", re.IGNORECASE)
_MENDELEY = re.compile(r"(?P<pathogen>bacteria|virus|normal)-(?P<number>\d+)-\d+", re.IGNORECASE)
_NAIVE = re.compile(r"person(\d+)_", re.IGNORECASE)
_RECOGNISED = 0.5  # share of names from which on Kermany's rule is taken to be meant


class KermanyName(NamedTuple):
    """What a file name of Kermany's chest X-ray set tells: the patient's key, and bacteria, virus or normal."""

    patient: str
    pathogen: str


class Grouped(NamedTuple):
    """A manifest frame with patients, what is to be noted about them, and the rule in words."""

    frame: pd.DataFrame
    notes: list[str]
    rule: str


def kermany(image: str) -> KermanyName | None:
    """Read a file name of Kermany's chest X-ray set; None where it is not named so."""
    stem = PurePosixPath(image).name
    if match := _PNEUMONIA.match(stem) or _MENDELEY.match(stem):
        pathogen = match["pathogen"].lower()
        return KermanyName(f"{pathogen}-{int(match['number'])}", pathogen)
    if match := _NORMAL.match(stem):
        return KermanyName(f"{match['series'].upper()}-{int(match['number']):04d}", "normal")
    return None


def naive_kermany_key(image: str) -> str:
    """Return ``personN`` alone, the key that takes bacterial and viral patients of one number for the same child."""
    match = _NAIVE.match(PurePosixPath(image).name)
    return f"person{int(match[1])}" if match else _known(image)


def _known(image: str) -> str:
    name = kermany(image)
    return name.patient if name else image


def by_kermany(used: pd.DataFrame) -> bool:
    """Tell whether patients are those of Kermany's file names, in most of the usable rows."""
    names = zip(map(kermany, used["image"]), used["patient"], strict=True)
    return 2 * sum(name is not None and name.patient == str(patient) for name, patient in names) > len(used)


def recognised(frame: pd.DataFrame) -> PatientRule | None:
    """Take Kermany's rule where most usable names follow it and no patients are given."""
    used = frame[frame["excluded"] == ""]
    if len(used) == 0 or (used["patient"] != "").any():
        return None
    known = sum(kermany(image) is not None for image in used["image"])
    return NamedRule(rule="kermany", unmatched="own") if known / len(used) >= _RECOGNISED else None


def assigned(frame: pd.DataFrame, rule: PatientRule | None, external: frozenset[str], where: str) -> Grouped:
    """Fill the ``patient`` column of the usable rows, and ``pathogen`` where Kermany's names tell it.

    Args:
        frame: the manifest so far; ``patient`` is empty where the data set does not tell.
        rule: as configured.
        external: sets in which a name without a match is a patient of its own, whatever the rule says.
        where: named in errors.

    Raises:
        InputError: names without a match, or a column that is not there.
    """
    if isinstance(rule, ColumnRule):
        return _by_column(frame, rule.column, external, where)
    if isinstance(rule, RegexRule):
        return _by_name(frame, rule, _by_pattern(rule.regex), external, where)
    if rule is not None and rule.rule == "kermany":
        grouped = _by_name(frame, rule, lambda image: (name := kermany(image)) and name.patient, external, where)
        return grouped._replace(frame=_with_pathogen(grouped.frame))
    if rule is None and (frame.loc[frame["excluded"] == "", "patient"] != "").any():
        return _by_column(frame, "patient", external, where)
    notes = _unused_rule(frame) if rule is None else []
    return Grouped(frame.assign(patient=frame["image"]), notes, "every image is a patient of its own")


def _unused_rule(frame: pd.DataFrame) -> list[str]:
    """Point at the patients that file names tell where nothing was configured: images of one are not independent."""
    if recognised(frame) is None:
        return []
    used = frame[frame["excluded"] == ""]
    count = len({name.patient if (name := kermany(image)) else image for image in used["image"]})
    sentence = (
        f"The names of the {len(used)} images tell {count} patients apart, but each image counts as a patient of its "
        'own: groups = "kermany" in [data] tells them.'
    )
    return [sentence] if count < len(used) else []


def _by_pattern(pattern: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)
    group: str | int = "patient" if "patient" in compiled.groupindex else min(compiled.groups, 1)

    def key(image: str) -> str | None:
        match = compiled.search(PurePosixPath(image).name)
        return match[group] if match else None

    return key


def _by_name(
    frame: pd.DataFrame,
    rule: NamedRule | RegexRule,
    key: Callable[[str], str | None],
    external: frozenset[str],
    where: str,
) -> Grouped:
    patient = frame["image"].map(lambda image: key(image) or "")
    named = f'pattern "{rule.regex}"' if isinstance(rule, RegexRule) else f'rule "{rule.rule}"'
    unmatched = frame[(patient == "") & (frame["excluded"] == "")]
    fatal = unmatched[~unmatched["split"].isin(external)]
    if len(fatal) and rule.unmatched == "error":
        raise InputError(
            f'{where}: groups: {_of(fatal, frame)} file names do not match {named}, e.g. "{fatal["image"].iloc[0]}", '
            'allowed with unmatched = "own", which makes each a patient of its own'
        )
    notes = [f"{_of(unmatched, frame)} file names do not match {named}; each is a patient of its own."] * bool(
        len(unmatched)
    )
    return Grouped(frame.assign(patient=patient.where(patient != "", frame["image"])), notes, f"{named} on file names")


def _by_column(frame: pd.DataFrame, column: str, external: frozenset[str], where: str) -> Grouped:
    if column not in frame:
        raise InputError(f'{where}: groups: no column "{column}", {nearest(column, frame.columns)}')
    values = frame[column].astype(str).str.strip()
    empty = frame[(values == "") & (frame["excluded"] == "")]
    fatal = empty[~empty["split"].isin(external)]
    if len(fatal):
        raise InputError(
            f'{where}: column "{column}" is empty for {_of(fatal, frame)} images, e.g. "{fatal["image"].iloc[0]}", '
            "allowed is a patient's key in every row"
        )
    notes = [f"{_of(empty, frame)} images name no patient; each is its own."] * bool(len(empty))
    return Grouped(frame.assign(patient=values.where(values != "", frame["image"])), notes, f'column "{column}"')


def _of(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    return f"{len(rows)} of {(frame['excluded'] == '').sum()}"


def _with_pathogen(frame: pd.DataFrame) -> pd.DataFrame:
    if "pathogen" in frame:
        return frame
    names = [kermany(image) for image in frame["image"]]
    return frame.assign(pathogen=[name.pathogen if name else "" for name in names])
