"""``cxrkit report``: the report of finished runs, or of anyone's predictions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrkit.cli.pseudonym_options import of_pseudonyms
from cxrkit.cli.writing import results_of, taking, wait_option, warn
from cxrkit.errors import InputError
from cxrkit.formats import FORMATS, USUAL, Format

if TYPE_CHECKING:
    from cxrkit.evaluation.labels import Join
    from cxrkit.report.inputs import Reading

DEFAULT_OUTPUT = Path("cxrkit-report")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="RUN|FILE.csv...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report; RUN/report for one run, else ./cxrkit-report.",
)
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(FORMATS), help=f"Repeatable; {', '.join(USUAL)} by default."
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of templates that take the place of cxrkit's own; by default those that the run was made with.",
)
@click.option("--logo", type=click.Path(path_type=Path), metavar="FILE", help="PNG, JPEG or SVG for the report's head.")
@click.option("--positive", metavar="CLASS", help="For prediction files: the class that is detected.")
@click.option(
    "--threshold",
    type=float,
    help="For prediction files: from which probability or score on an image is positive; of probabilities the "
    "conventional 0.5 by default.",
)
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="For prediction files: share of positives that predictive values are also given for.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=THEIRS",
    help="For prediction files: what they call a column, as in image=sop_uid; repeatable.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="For prediction files: the file of labels, where they stand apart.",
)
@click.option(
    "--label-column",
    "label_columns",
    multiple=True,
    metavar="NAME=THEIRS",
    help="What the file of labels calls image, study, label or patient; repeatable.",
)
@wait_option
@of_pseudonyms
@click.option("--join", type=click.Choice(("image", "study")), help="What labels are joined by; image by default.")
def command(
    *,
    inputs: tuple[Path, ...],
    output: Path | None,
    formats: tuple[Format, ...],
    templates: Path | None,
    logo: Path | None,
    wait: bool,
    pseudonyms: bool | None,
    pseudonym_key: Path | None,
    **of_predictions: Any,
) -> None:
    """Write the report of one or more finished runs, or of prediction files (one model each).

    A prediction file has the columns image, label and p_CLASS (for two classes the positive one's is enough), and
    patient where there is one. In place of p_CLASS it may have score, a number that only ranks, or decision, a class
    or 0 and 1; the report then says what cannot be told. What the files become, a run directory, is kept in the
    report's folder as run/; with --pseudonyms beside it as DIR-run, since it holds the names.
    """
    from cxrkit.report import house as houses
    from cxrkit.report import pseudonyms as names
    from cxrkit.report import write
    from cxrkit.report.inputs import are_predictions, from_predictions, open_runs

    houses.check(templates, logo, lambda key: f"--{key}")
    names.check_key(pseudonym_key)
    with taking(wait=wait) as take:
        if are_predictions(inputs):
            folder = output or DEFAULT_OUTPUT
            kept = folder.absolute().with_name(f"{folder.absolute().name}-run") if pseudonyms else folder / "run"
            for each in (folder, kept):
                take(each)
            runs = [from_predictions(inputs, kept, _reading(**of_predictions), warn=warn)]
        else:
            _refuse(**of_predictions)
            folder = results_of(inputs, output, DEFAULT_OUTPUT, take)
            runs = open_runs(inputs, warn, take)
        house = houses.of_runs(runs, templates, logo, warn)
        house = replace(house, names=names.of_runs(runs, pseudonyms, pseudonym_key))
        written, warnings = write(runs, folder, formats or USUAL, strict_pdf=set(formats) == {"pdf"}, house=house)
    for warning in warnings:
        warn(warning)
    for path in written:
        click.echo(path)


def _reading(*, columns: Sequence[str], label_columns: Sequence[str], join: "Join | None", **others: Any) -> "Reading":
    from cxrkit.report.inputs import Reading

    return Reading(
        columns=mapping("--column", columns),
        label_columns=mapping("--label-column", label_columns),
        join=join or "image",
        **others,
    )


def mapping(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Read ``image=sop_uid`` and its like."""
    pairs = [[part.strip() for part in text.split("=", 1)] for text in texts]
    wrong = [text for text, pair in zip(texts, pairs, strict=True) if len(pair) < 2 or not all(pair)]  # noqa: PLR2004 - a pair
    names = [pair[0] for pair in pairs]
    problems = [f'{option}: "{text}" is no NAME=THEIRS, as in image=sop_uid' for text in wrong]
    problems += [
        f'{option}: "{name}" is given twice, once is allowed' for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if problems:
        raise InputError(*problems)
    return dict(pairs)


def _refuse(**options: object) -> None:
    """Refuse options of prediction files for runs, whose thresholds and classes are recorded."""
    names = {"columns": "column", "label_columns": "label-column"}
    given = [
        f"--{names.get(name, name)}: is for prediction files, a run directory has its own"
        for name, value in options.items()
        if value not in (None, ())
    ]
    if given:
        raise InputError(*given)
