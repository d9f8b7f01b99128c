"""``cxrkit data``: fetch, check, split and generate image folders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrkit.cli.bars import counting
from cxrkit.cli.groups import NearestGroup
from cxrkit.cli.writing import say, taking, wait_option

if TYPE_CHECKING:
    from cxrkit.config.schema import DataTable
    from cxrkit.data.download import Downloaded
    from cxrkit.data.watching import Watch

_HELP = {"help_option_names": ["-h", "--help"]}
_groups = click.option(
    "--groups",
    metavar="RULE",
    help="How patients are told apart: kermany, image, column=NAME or regex=PATTERN; recognised by default.",
)
_dataset = click.option("--dataset", metavar="NAME", help="A dataset plugin; folder or csv by default.")
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn.")
_source = click.argument("source", type=click.Path(path_type=Path))


@click.group(cls=NearestGroup, context_settings=_HELP)
def command() -> None:
    """Fetch, check, split and generate image folders."""


@command.command(short_help="Fetch chest X-rays: checked, extracted safely, counted.")
@click.argument("source", default="kaggle", metavar="[SOURCE]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", required=True, help="New or empty folder.")
@click.option("--sha256", metavar="HEX", help="Of the archive; checked before anything is extracted.")
@wait_option
def download(source: str, output: Path, sha256: str | None, wait: bool) -> None:
    """Fetch chest X-rays into DIR: checked, extracted safely, counted.

    SOURCE is kaggle (the default: "Chest X-Ray Images (Pneumonia)", through kagglehub) or kaggle:OWNER/NAME; mendeley
    (the original archive, 1.2 GB, needs no account); an http(s) address; or an archive at hand (zip, tar, tar.gz).

    A transfer that broke or was interrupted goes on when the same command is given again; once DIR is complete, the
    same command checks its files. DIR.download.json keeps where they came from and their SHA-256.
    """
    from cxrkit import discovery
    from cxrkit.data.download import download as fetched_to
    from cxrkit.data.download import fetching_alone
    from cxrkit.data.origins import origin_of

    origin = origin_of(source, sha256)
    with fetching_alone(output, wait=wait, say=say), _watch() as watch:
        outcome = fetched_to(origin, output, discovery.load("cxrkit").datasets, watch)
    _tell(outcome, output)


def _tell(outcome: "Downloaded", output: Path) -> None:
    record = outcome.record
    was = "already there, and unchanged since it came" if outcome.already_there else "complete,"
    click.echo(f"{output}: {was} from {record.source}")
    if record.archive_sha256:
        click.echo(f"SHA-256 of the archive: {record.archive_sha256}")
    for split, labels in outcome.counts.items():
        classes = ", ".join(f"{count:,} {label}" for label, count in labels.items())
        click.echo(f"{split or 'no split'}: {classes}; {sum(labels.values()):,} images")
    total = sum(sum(labels.values()) for labels in outcome.counts.values())
    click.echo(f"all: {total:,} images{', as published' if outcome.differences == [] else ''}")
    if record.junk or record.copies:
        click.echo(f"left out: {record.junk:,} system files, {record.copies:,} nested copies")
    if outcome.differences:
        wanted = "not the published set of 5,856 images; here, and published in brackets"
        click.echo(f"warning: {wanted}: {'; '.join(outcome.differences)}", err=True)
    if outcome.lacking:
        click.echo(f"warning: {outcome.lacking}", err=True)
    click.echo(f"\nFor tasks.toml:\n\n{outcome.table}")


@command.command(short_help="Audit a folder or a CSV file, and print what was found.")
@_source
@_groups
@_dataset
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(source: Path, groups: str | None, dataset: str | None, as_json: bool) -> None:
    """Audit SOURCE, a folder or a CSV file, and print what was found.

    Reads every image to its end and tells of patients and pictures that splits share, copies with two labels, drift
    between splits, and whether size or brightness alone gives the label away. Findings are no failure of the command:
    its status is 0 when the audit is made, 2 when there is nothing to audit.
    """
    from rich.console import Console

    from cxrkit import discovery
    from cxrkit.data.audit import audit
    from cxrkit.data.terminal import show

    table = _table(source, groups, dataset)
    with counting("Reading", quiet=as_json) as progress:
        found = audit(table, Path(), discovery.load("cxrkit").datasets, progress)
    if as_json:
        click.echo(found.model_dump_json(indent=1, by_alias=True))
    else:
        show(found, Console(highlight=False))


@command.command(short_help="Show images and augmentation before anything is trained.")
@click.argument("source", metavar="TASKS.toml|DIR|FILE.csv", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("cxrkit-preview"),
    show_default=True,
    help="Folder of the pictures.",
)
@click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="Override a key of TASKS.toml; repeatable.")
@_groups
@_dataset
@click.option("--dpi", type=click.IntRange(72, 1200), default=200, show_default=True, help="Pixels per inch.")
@wait_option
def preview(
    *,
    source: Path,
    output: Path,
    sets: tuple[str, ...],
    groups: str | None,
    dataset: str | None,
    dpi: int,
    wait: bool,
) -> None:
    """Show what SOURCE looks like before anything is trained: sample images, classes by split, augmentation.

    Of a TASKS.toml its own splits and every distinct [augmentation] are shown, as the trainings would see the images;
    of a folder or CSV file the images as they are split now, and the augmentation that is used by default. Writes PNG
    files into --output, and figures.csv with their captions and alternative texts.
    """
    from cxrkit.errors import InputError
    from cxrkit.run import data_preview

    is_configuration = source.suffix.lower() == ".toml"
    given = [name for name, value in (("--groups", groups), ("--dataset", dataset)) if value is not None]
    if is_configuration and given:
        raise InputError(f"{given[0]}: is for a folder or CSV file, {source} says it in its [data]")
    if sets and not is_configuration:
        raise InputError(f"--set: is for a TASKS.toml, got {source}")
    with counting("Reading") as progress:
        looked = (
            data_preview.of_tasks(source, sets, progress)
            if is_configuration
            else data_preview.of_images(_table(source, groups, dataset), progress)
        )
    with taking(wait=wait) as take:
        take(output)
        written = data_preview.write(looked, output, dpi=dpi)
    for path in written:
        click.echo(path)


@command.command(short_help="Divide images by patient into train, val and test.")
@_source
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--test",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.15,
    show_default=True,
    help="Share of the images.",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the images.",
)
@_groups
@_dataset
@_seed
def split(
    source: Path,
    destination: Path,
    test: float,
    validation: float,
    groups: str | None,
    dataset: str | None,
    seed: int,
) -> None:
    """Divide all images of SOURCE by patient and copy them to DESTINATION.

    Splits that SOURCE has are given up: its images are pooled, and divided so that no patient is in two splits and each
    class (and pathogen, where names tell it) has its share. DESTINATION must be new or empty; it gets train/, val/ and
    test/ of class folders, and a manifest.csv that keeps the patients.
    """
    from cxrkit import discovery
    from cxrkit.data.copying import split as split_to

    table, datasets = _table(source, groups, dataset), discovery.load("cxrkit").datasets
    with counting("Reading") as progress:
        manifest = split_to(
            table, Path(), datasets, destination, test=test, validation=validation, seed=seed, progress=progress
        )
    summary = manifest.summary()
    for name, counts in summary.counts.items():
        classes = ", ".join(f"{count} {label}" for label, count in counts.items())
        click.echo(f"{name}: {classes}; {summary.patients[name]} patients ({summary.patient_rule})")
    for reason, count in summary.excluded.items():
        click.echo(f"not copied: {count} files: {reason}")
    for note in summary.notes:
        click.echo(f"note: {note}")
    click.echo(destination)


@command.command(short_help="Generate radiographs of a phantom with known lesions.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--images", default=600, show_default=True, help="Of all splits together.")
@click.option("--size", default=128, show_default=True, help="Pixels, height and width.")
@_seed
def phantom(directory: Path, images: int, size: int, seed: int) -> None:
    """Generate radiographs of a phantom with known lesions into DIR, which must be new or empty.

    They are laid out and named like Kermany's chest X-rays; masks/ holds the lesions, phantom.csv lists everything.
    """
    from cxrkit.data.phantom import write

    with counting("Generating") as progress:
        write(directory, images=images, size=size, seed=seed, progress=progress)
    click.echo(directory)


def _table(source: Path, groups: str | None, dataset: str | None) -> "DataTable":
    from pydantic import ValidationError

    from cxrkit.config.schema import DataTable
    from cxrkit.errors import InputError

    kind, has_value, value = (groups or "").partition("=")
    rule: Any = {kind: value} if has_value else groups
    where = "manifest" if source.is_file() or source.suffix.lower() == ".csv" else "root"
    try:
        return DataTable.model_validate({where: str(source), "groups": rule, "dataset": dataset})
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(
            f'--groups: "{groups}": {what}; allowed are kermany, image, column=NAME, regex=PATTERN'
        ) from None


@contextmanager
def _watch() -> "Iterator[Watch]":
    """Show one bar for each thing that is done, of bytes; sentences stand above it, or alone where is no terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from cxrkit.data.watching import Watch
    from cxrkit.run.progress import standard_error

    console = standard_error()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()

    def above(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield Watch(lambda _what, _done, _total: None, above)
        return
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total)

        yield Watch(show, above)
