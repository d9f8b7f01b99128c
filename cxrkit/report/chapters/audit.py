"""The audit of the images: leaks, duplicates, contradicting labels, and whether the look of a file tells the class."""

from collections.abc import Iterator, Sequence

from cxrkit.records import Baseline, BaselineName, DataAudit, Drift, ImageStatistics, NearDuplicates, Shared
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Cell, Column, Heading, Table
from cxrkit.report.tables import estimate_cell

SET_TITLES = {"train": "training", "val": "validation", "test": "test"}
STATISTICS = {
    "width": "Width, pixels",
    "height": "Height, pixels",
    "aspect": "Width : height",
    "intensity": "Mean grey value (0 to 255)",
    "contrast": "Spread of the grey values",
    "black": "Black pixels",
    "white": "White pixels",
    "colour": "Files with colour",
}
SHARES = frozenset({"black", "white", "colour"})
BASELINES: dict[BaselineName, str] = {
    "size": "size and shape",
    "colour": "grey or colour file",
    "brightness": "brightness and contrast",
    "all": "all of these",
}
LISTED = 10  # pairs and conflicts that are named


def blocks(audit: DataAudit) -> Iterator[Block]:
    """Show what the images are like before anything is trained on them."""
    yield Heading("Audit of the images")
    if audit.problems:
        yield Bullets(tuple(audit.problems), "Problems", caution=True)
    yield Bullets(tuple(_findings(audit)))
    pairs = audit.near_duplicates.pairs[:LISTED]
    if pairs:
        yield _pairs(audit.near_duplicates)
    if audit.statistics:
        yield from _statistics(audit.statistics)
    named = [one for one in audit.drift if one.named]
    if named:
        yield _drift(named, len(audit.drift))
    if audit.baselines:
        yield _baselines(audit.baselines)


def cautions(audit: DataAudit) -> Iterator[str]:
    """Tell what the first page must not leave out: leaks, and classes that the look of a file gives away."""
    for one in audit.shared_patients:
        yield f"{_sets(one.splits)} share {wording.counted(one.count, 'patient')}: figures may be too good."
    for one in audit.identical_across_splits:
        yield f"{_sets(one.splits)} share {wording.counted(one.count, 'identical file')}: figures may be too good."
    across = sum(one.pairs for one in audit.near_duplicates.counts if len(set(one.splits)) > 1)
    if across:
        yield f"Pairs of nearly the same picture in different splits: {wording.count(across)}."
    yield from (one.sentence for one in audit.baselines if one.shortcut)


def _sets(splits: tuple[str, str]) -> str:
    one, other = (SET_TITLES.get(name, name) for name in splits)
    return f"The {one} and the {other} images"


def _findings(audit: DataAudit) -> Iterator[str]:
    yield from _shared(audit)
    yield from _copies(audit)
    for conflict in audit.label_conflicts[:LISTED]:
        kind = "The same file has" if conflict.identical else "Nearly the same picture has"
        yield f"{kind} different labels: {wording.listed(_labelled(conflict.images, conflict.labels))}."
    if len(audit.label_conflicts) > LISTED:
        yield f"Label conflicts in all: {wording.count(len(audit.label_conflicts))}."


def _labelled(images: Sequence[str], labels: Sequence[str]) -> list[str]:
    return [f"{image} ({label})" for image, label in zip(images, labels, strict=True)]


def _shared(audit: DataAudit) -> Iterator[str]:
    most = wording.counted(audit.most_images_of_a_patient, "image")
    yield f"Patients: {audit.patient_rule.removesuffix('.')}; one patient has {most} at most."
    if audit.shared_patients:
        yield from (_overlap(one, "patient") for one in audit.shared_patients)
    elif len(audit.counts) > 1:
        yield "No patient is in more than one split."
    if audit.shared_patients_by_naive_key:
        naive = [f"{' and '.join(map(_set, one.splits))} {one.count}" for one in audit.shared_patients_by_naive_key]
        yield (
            f"By the number in the file name alone, splits would share patients ({', '.join(naive)}); that key is "
            "wrong, since bacterial and viral patients are numbered apart."
        )


def _overlap(one: Shared, what: str) -> str:
    return f"{_sets(one.splits)} share {wording.counted(one.count, what)}, e.g. {one.example}."


def _copies(audit: DataAudit) -> Iterator[str]:
    yield from (_overlap(one, "identical file") for one in audit.identical_across_splits)
    within = [
        f"{_set(name)} {wording.count(number)}" for name, number in audit.identical_within_splits.items() if number
    ]
    yield f"Files that are the same to the byte as another of their set: {', '.join(within) or 'none'}."
    near = audit.near_duplicates
    searched = f"{wording.counted(near.searched, 'different file')} ({near.rule.removesuffix('.')})"
    if not near.counts:
        yield f"No near duplicates were found among {searched}."
    for one in near.counts:
        where = f"within {SET_TITLES.get(one.splits[0], one.splits[0])}"
        if len(set(one.splits)) > 1:
            where = f"between {' and '.join(SET_TITLES.get(name, name) for name in one.splits)}"
        yield (
            f"Near duplicates {where}: {wording.counted(one.pairs, 'pair')}, "
            f"{wording.count(one.of_different_patients)} of different patients and "
            f"{wording.count(one.of_different_labels)} with different labels."
        )
    if near.counts:
        yield f"Near duplicates were searched among {searched}."


def _pairs(near: NearDuplicates) -> Table:
    titles = ("Image", "Nearly the same as", "Patient", "Bits that differ", "Correlation")
    rows = tuple(
        (
            Cell(pair.images[0], f"{_set(pair.splits[0])}, {pair.labels[0]}"),
            Cell(pair.images[1], f"{_set(pair.splits[1])}, {pair.labels[1]}"),
            Cell("the same" if pair.same_patient else "another"),
            Cell(str(pair.distance)),
            Cell(f"{pair.correlation:.3f}"),
        )
        for pair in near.pairs[:LISTED]
    )
    columns = tuple(Column(title, numeric=place > 2) for place, title in enumerate(titles))  # noqa: PLR2004
    notes = (f"The first {LISTED}; all are in audit.json.",) if len(near.pairs) > LISTED else ()
    return Table("Near duplicates", columns, rows, notes, small=True, sortable=True)


def _set(name: str) -> str:
    return SET_TITLES.get(name, name)


# ── Statistics ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _statistics(found: Sequence[ImageStatistics]) -> Iterator[Table]:
    """Set the image statistics out: a row for each set and class, medians with quartiles."""
    known: dict[tuple[str, str, str], ImageStatistics] = {
        (one.set, one.class_name, one.statistic): one for one in found
    }
    groups = list(dict.fromkeys((one.set, one.class_name) for one in found))
    shown = [name for name in STATISTICS if any(one.statistic == name for one in found)]
    columns = (
        Column("Set", numeric=False),
        Column("Class", numeric=False),
        Column("n"),
        *(Column(STATISTICS[name]) for name in shown),
    )
    rows = []
    for set_name, class_name in groups:
        one_of = [known.get((set_name, class_name, name)) for name in shown]
        n = next((one.n for one in one_of if one), 0)
        cells = [_statistic_cell(one) for one in one_of]
        rows.append((Cell(wording.capitalised(_set(set_name))), Cell(class_name), Cell(wording.count(n)), *cells))
    note = "Median, below it the quartiles; of files with colour the share. What differs by class may be a shortcut."
    yield Table("What the image files look like", columns, tuple(rows), (note,), small=True)


def _statistic_cell(one: ImageStatistics | None) -> Cell:
    if one is None:
        return Cell(wording.NONE)
    if one.statistic == "colour":
        return Cell(_value(one.mean, one.statistic))
    quartiles = f"{_value(one.lower_quartile, one.statistic)} to {_value(one.upper_quartile, one.statistic)}"
    return Cell(_value(one.median, one.statistic), quartiles)


def _value(value: float, statistic: str) -> str:
    if statistic in SHARES:
        return wording.number(value, "prevalence")
    return f"{value:.2f}" if statistic == "aspect" else f"{value:,.0f}"


def _drift(named: Sequence[Drift], compared: int) -> Table:
    titles = ("Statistic", "Class", "From", "To", "Before", "After", "Effect", "p (Holm)")
    rows = tuple(
        (
            Cell(STATISTICS[one.statistic]),
            Cell(one.class_name),
            Cell(_set(one.from_set)),
            Cell(_set(one.to_set)),
            Cell(_value(one.before, one.statistic)),
            Cell(_value(one.after, one.statistic)),
            Cell(f"{one.effect:+.2f}".replace("-", wording.MINUS)),
            Cell(wording.p_value(one.p_adjusted)),
        )
        for one in named
    )
    columns = tuple(Column(title, numeric=place > 3) for place, title in enumerate(titles))  # noqa: PLR2004
    note = (
        f"Of {wording.counted(compared, 'comparison')}, those that differ markedly; one image of each patient. Effect: "
        "Cliff's delta, from \N{MINUS SIGN}1 to 1, 0 being no difference. A model may do worse where its images look "
        "different."
    )
    return Table(
        "Drift: where the look of the images differs between sets", columns, rows, (note,), small=True, sortable=True
    )


def _baselines(baselines: Sequence[Baseline]) -> Table:
    sets = list(dict.fromkeys(name for one in baselines for name in one.auc))
    columns = (
        Column("Sees only", numeric=False),
        Column("AUC, cross-validated"),
        *(Column(f"AUC, {_set(name)}") for name in sets),
        Column("What it says", numeric=False),
    )
    rows = tuple(
        (
            Cell(BASELINES[one.name]),
            estimate_cell(one.cross_validated, "roc_auc"),
            *(estimate_cell(one.auc.get(name), "roc_auc") for name in sets),
            Cell(one.sentence),
        )
        for one in baselines
    )
    methods = dict.fromkeys(one.method.removesuffix(".") for one in baselines)
    note = (
        f"Model: {'; '.join(methods)}. A model that sees no more than this should not tell the classes apart: where "
        "it does, so may a network, without looking at the lungs."
    )
    return Table("Does the look of a file give the class away?", columns, rows, (note,), small=True)
