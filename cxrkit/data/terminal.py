"""Print an audit for people."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import fill

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cxrkit.data.drift import direction, values
from cxrkit.data.manifest import SPLITS
from cxrkit.data.measures import SHARES
from cxrkit.records import DataAudit, Drift, ImageStatistic, ImageStatistics, NearDuplicates, Shared

MOST_CONFLICTS = 5
_COLUMNS: dict[ImageStatistic, str] = {
    "width": "width",
    "height": "height",
    "aspect": "w / h",
    "intensity": "grey",
    "contrast": "SD",
    "black": "black\n%",
    "colour": "colour\n%",
}


def show(found: DataAudit, console: Console) -> None:
    """Print an audit: what there is, what is left out, what to know, and whether it can be used."""
    console.print(
        f"[bold]{escape(found.source)}[/bold]: {found.found} files found, {found.usable} usable images", soft_wrap=True
    )
    if found.usable:
        console.print(_counts(found))
    if found.excluded:
        console.print(_excluded(found))
    if found.statistics:
        console.print(_statistics(found))
    _list(console, "Patients and copies:", _relations(found))
    _list(console, "Images:", [*_sizes(found), *_drift(found.drift)])
    _list(console, "The label from simple statistics:", [baseline.sentence for baseline in found.baselines])
    _list(console, "Notes:", found.notes)
    if found.problems:
        _list(console, "[red]Not usable as it is:[/red]", found.problems)
    else:
        console.print("\n[bold green]Usable.[/bold green]")


def _list(console: Console, title: str, lines: Iterable[str]) -> None:
    told = list(lines)
    if told:
        console.print(f"\n[bold]{title}[/bold]")
    for line in told:
        wrapped = fill(
            line,
            console.width,
            initial_indent="• ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        console.print(wrapped, markup=False, soft_wrap=True)


def _counts(found: DataAudit) -> Table:
    labels = sorted({label for counts in found.counts.values() for label in counts})
    table = Table("split", *(escape(label) for label in labels), "images", "patients")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in sorted(found.counts, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS)):
        counts = found.counts[name]
        cells = [counts.get(label, 0) for label in labels] + [sum(counts.values()), found.patients[name]]
        table.add_row(name, *(str(cell) for cell in cells))
    return table


def _excluded(found: DataAudit) -> Table:
    table = Table("files", "not used, because", "for example")
    table.columns[0].justify = "right"
    for exclusion in found.excluded:
        table.add_row(str(exclusion.files), escape(exclusion.reason), escape("\n".join(exclusion.examples)))
    return table


def _statistics(found: DataAudit) -> Table:
    """One row for each set and class; what is the same in all of them is left out."""
    cells = {(row.set, row.class_name, row.statistic): _cell(row) for row in found.statistics}
    groups = list(dict.fromkeys((row.set, row.class_name) for row in found.statistics))
    varying = [name for name in _COLUMNS if len({cells[*group, name] for group in groups}) > 1]
    told = "Medians, in pixels and grey values of 0 to 255; of black parts and colour files the mean share."
    table = Table("images", *(_COLUMNS[name] for name in varying), caption=told, caption_justify="left")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for group in groups:
        table.add_row(escape(" ".join(group)), *(cells[*group, name] for name in varying))
    return table


def _cell(row: ImageStatistics) -> str:
    if row.statistic in SHARES:
        return f"{100 * row.mean:.1f}"
    return f"{row.median:.2f}" if row.statistic == "aspect" else f"{row.median:.0f}"


def _relations(found: DataAudit) -> Iterator[str]:
    most = found.most_images_of_a_patient
    yield f"Patients by {found.patient_rule}; at most {_number(most, 'image')} of one patient."
    if len(found.counts) > 1:
        yield from _shared(found.shared_patients, "patient")
        yield from _naive(found.shared_patients_by_naive_key or [])
        yield from _shared(found.identical_across_splits, "identical file")
    for name, copies in found.identical_within_splits.items():
        if copies:
            yield f"{name}: {_number(copies, 'identical copy', 'identical copies')} of other files in it."
    yield from _near_duplicates(found.near_duplicates)
    yield from _conflicts(found)


def _near_duplicates(near: NearDuplicates) -> Iterator[str]:
    if not near.counts:
        yield "No near duplicates (the same picture in another size, format or brightness)."
    for counted in near.counts:
        one, other = counted.splits
        where = f"in {one}" if one == other else f"between {one} and {other}"
        example = next((pair for pair in near.pairs if pair.splits == counted.splits), None)
        told = f", e.g. {' and '.join(example.images)}" if example else ""
        of_others = f", {counted.of_different_patients} of different patients" if counted.of_different_patients else ""
        yield f"{_number(counted.pairs, 'pair')} of near duplicates {where}{of_others}{told}."


def _conflicts(found: DataAudit) -> Iterator[str]:
    for conflict in found.label_conflicts[:MOST_CONFLICTS]:
        what = "One file" if conflict.identical else "Nearly one picture"
        yield f"{what} with two labels: {' and '.join(conflict.images)}."
    more = len(found.label_conflicts) - MOST_CONFLICTS
    if more > 0:
        yield f"{_number(more, 'more label conflict')}, see --json."


def _sizes(found: DataAudit) -> Iterator[str]:
    if found.usable:
        counts: dict[str, int] = {}
        for modes in (modes for classes in found.modes.values() for modes in classes.values()):
            counts |= {mode: counts.get(mode, 0) + count for mode, count in modes.items()}
        told = ", ".join(f"{count} {mode}" for mode, count in sorted(counts.items(), key=lambda item: -item[1]))
        yield f"Width {_pixels(found.width)}, height {_pixels(found.height)}; pixel formats: {told}."


def _drift(found: Sequence[Drift]) -> Iterator[str]:
    """One line for each pair of sets and class; of train and test only what validation and test do not show."""
    known = {(one.class_name, one.statistic) for one in found if one.named and one.from_set == "val"}
    named = [
        one for one in found if one.named and not (one.from_set == "train" and (one.class_name, one.statistic) in known)
    ]
    for (label, one, other), group in groupby(
        named, key=lambda drift: (drift.class_name, drift.from_set, drift.to_set)
    ):
        told = ", ".join(f"{direction(drift)} ({values(drift)}, D {drift.ks:.2f})" for drift in group)
        yield f"Drift from {one} to {other}: {label} images are {told}."
    pairs = dict.fromkeys((drift.from_set, drift.to_set) for drift in found)
    for one, other in pairs:
        if not any(drift.named and (drift.from_set, drift.to_set) == (one, other) for drift in found):
            yield f"No drift from {one} to {other} that is shown and large enough to matter."


def _shared(shared: Sequence[Shared], what: str) -> Iterator[str]:
    if not shared:
        yield f"No {what}s shared between splits."
    for pair in shared:
        yield f"{' and '.join(pair.splits)} share {_number(pair.count, what)}, e.g. {pair.example}."


def _naive(shared: Sequence[Shared]) -> Iterator[str]:
    for pair in shared:
        yield (
            f"By the number in the name alone, {' and '.join(pair.splits)} would seem to share "
            f"{_number(pair.count, 'patient')}; bacterial and viral patients are numbered apart, so these are not the "
            "same children."
        )


def _number(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def _pixels(least_and_most: tuple[int, int]) -> str:
    least, most = least_and_most
    return f"{least} pixels" if least == most else f"{least} to {most} pixels"
