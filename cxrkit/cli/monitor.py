"""``cxrkit monitor``: a model in use, period by period against a reference."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrkit.cli.bars import counting
from cxrkit.cli.report import mapping
from cxrkit.cli.writing import taking

if TYPE_CHECKING:
    from cxrkit.monitoring.request import Request
    from cxrkit.monitoring.writing import Format
    from cxrkit.records import Monitoring

ALARM = 3
PATH = click.Path(path_type=Path)
POSITIVE = click.FloatRange(0, min_open=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("reference", metavar="REFERENCE", type=PATH)
@click.argument("new", metavar="NEW...", nargs=-1, required=True, type=PATH)
@click.option("--task", metavar="NAME", help="Of a run with several tasks, or of a predict table with several models.")
@click.option("--reference-set", metavar="SET", help="Of a run: test by default, val or an external set.")
@click.option("--positive", metavar="CLASS", help="Where a reference file does not tell which class is detected.")
@click.option("--threshold", type=float, help="In place of the recorded one; 0.5 where none is recorded.")
@click.option("--date-column", metavar="NAME", help="Column of dates (ISO 8601) in NEW; joins all files.")
@click.option("--period", "span", type=click.Choice(("day", "week", "month")), help="What the dates are divided by.")
@click.option("--every", type=click.IntRange(1), metavar="N", help="Periods of N images, by date or in file order.")
@click.option("--latest", is_flag=True, help="Raise alarms of the last period alone.")
@click.option("--labels", type=PATH, metavar="CSV", help="Labels of new images that came later; need not be of all.")
@click.option("--column", "columns", multiple=True, metavar="NAME=THEIRS", help="What the files call a column.")
@click.option("--label-column", "label_columns", multiple=True, metavar="NAME=THEIRS", help="The same of --labels.")
@click.option(
    "--join",
    type=click.Choice(("image", "study")),
    default="image",
    show_default=True,
    help="What labels are joined by.",
)
@click.option("--images", multiple=True, type=PATH, metavar="DIR", help="Folder of the new images; repeatable.")
@click.option("--reference-images", multiple=True, type=PATH, metavar="DIR", help="Folder of the reference's images.")
@click.option(
    "--reference-statistics",
    type=PATH,
    metavar="CSV",
    help="reference_statistics.csv of an earlier call, in place of the reference's images.",
)
@click.option("--psi", type=POSITIVE, default=0.25, show_default=True, help="Least PSI of an alarm.")
@click.option("--ks", type=POSITIVE, default=0.2, show_default=True, help="Least KS distance of an alarm.")
@click.option("--sigma", type=POSITIVE, default=3.0, show_default=True, help="Width of the control limits.")
@click.option("--margin", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Tolerated drop.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.2, min_open=True),
    default=0.05,
    show_default=True,
    help="Of each family of tests.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of monitoring.json, monitoring.csv and the page.",
)
@click.option("--format", "formats", multiple=True, type=click.Choice(("html", "pdf", "txt")), help="html by default.")
@click.option("--quiet", is_flag=True, help="Alarms alone; nothing where there is none.")
@click.option("--json", "as_json", is_flag=True, help="What monitoring.json says on standard output.")
def command(*, output: Path | None, formats: "tuple[Format, ...]", quiet: bool, as_json: bool, **options: Any) -> None:
    """Set new predictions of a model against a reference: drift, alert rate, errors, performance.

    REFERENCE is a finished run directory or a CSV of predictions; each NEW is a CSV of predictions, or of cxrkit
    predict, and a period of its own unless --period or --every divides them. Labels are used where they are.

    Exit status: 0 no alarm, 3 alarm, 1 failed, 2 the input is wrong.
    """
    from cxrkit.monitoring import request, watching, writing

    asked = _request(**options)
    with taking() as take:
        if output is not None:
            take(output)
        with counting("Measuring", quiet=quiet or as_json) as progress:
            watched = request.prepare(asked, progress)
        found = watching.monitored(watched, asked.limits)
        page = writing.write(output, found, watched.before, formats or writing.USUAL) if output is not None else None
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        _tell(found, page, quiet=quiet)
    if found.alarms:
        raise click.exceptions.Exit(ALARM)


def _request(  # noqa: PLR0913 - one parameter for each option
    *,
    task: str | None,
    reference_set: str | None,
    positive: str | None,
    threshold: float | None,
    columns: tuple[str, ...],
    label_columns: tuple[str, ...],
    psi: float,
    ks: float,
    sigma: float,
    margin: float,
    alpha: float,
    **others: Any,
) -> "Request":
    from cxrkit.monitoring.reference import Asked
    from cxrkit.monitoring.request import Request
    from cxrkit.monitoring.rules import Limits

    return Request(
        asked=Asked(task=task, set=reference_set, positive=positive, threshold=threshold),
        columns=mapping("--column", columns),
        label_columns=mapping("--label-column", label_columns),
        limits=Limits(psi=psi, ks=ks, sigma=sigma, margin=margin, alpha=alpha),
        **others,
    )


def _tell(found: "Monitoring", page: Path | None, *, quiet: bool) -> None:
    from cxrkit.monitoring.page import verdict
    from cxrkit.one_line import one_line

    for alarm in found.alarms:
        click.echo(f"ALARM {one_line(alarm.sentence)}")
    if quiet:
        return
    click.echo(one_line(verdict(found)))
    for note in found.notes:
        click.echo(f"Note: {one_line(note)}", err=True)
    if page is not None:
        click.echo(page)
