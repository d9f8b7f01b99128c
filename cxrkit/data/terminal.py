"""Print an audit for people."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cxrkit.data.audit import Audit, Shared
from cxrkit.data.manifest import SPLITS


def show(found: Audit, console: Console) -> None:
    """Print an audit: what there is, what is left out, what to know, and whether it can be used."""
    console.print(f"[bold]{escape(found.source)}[/bold]: {found.found} files found, {found.usable} usable images")
    if found.usable:
        console.print(_counts(found))
    if found.excluded:
        console.print(_excluded(found))
    for line in _findings(found):
        console.print(f"• {line}", markup=False)
    if found.problems:
        console.print("\n[bold red]Not usable as it is:[/bold red]")
        for problem in found.problems:
            console.print(f"• {problem}", markup=False)
    else:
        console.print("\n[bold green]Usable.[/bold green]")


def _counts(found: Audit) -> Table:
    labels = sorted({label for counts in found.counts.values() for label in counts})
    table = Table("split", *(escape(label) for label in labels), "images", "patients")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in sorted(found.counts, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS)):
        counts = found.counts[name]
        cells = [counts.get(label, 0) for label in labels] + [sum(counts.values()), found.patients[name]]
        table.add_row(name, *(str(cell) for cell in cells))
    return table


def _excluded(found: Audit) -> Table:
    table = Table("files", "not used, because", "for example")
    table.columns[0].justify = "right"
    for exclusion in found.excluded:
        table.add_row(str(exclusion.files), escape(exclusion.reason), escape("\n".join(exclusion.examples)))
    return table


def _findings(found: Audit) -> Iterator[str]:
    most = found.most_images_of_a_patient
    yield f"Patients by {found.patient_rule}; at most {_number(most, 'image')} of one patient."
    if len(found.counts) > 1:
        yield from _shared(found.shared_patients, "patient")
        yield from _naive(found.shared_patients_by_naive_key or [])
        yield from _shared(found.identical_across_splits, "identical file")
    for name, copies in found.identical_within_splits.items():
        if copies:
            yield f"{name}: {_number(copies, 'identical copy', 'identical copies')} of other files in it."
    for images in found.label_conflicts:
        yield f"One file with two labels: {' and '.join(images)}."
    if found.usable:
        modes = ", ".join(f"{count} {mode}" for mode, count in found.modes.items())
        yield f"Width {_pixels(found.width)}, height {_pixels(found.height)}; pixel formats: {modes}."
    yield from found.notes


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
