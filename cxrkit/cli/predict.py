"""``cxrkit predict``: saved models on images without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrkit.cli.model_options import device_option, of_saved_models
from cxrkit.cli.writing import taking

if TYPE_CHECKING:
    from cxrkit.data.listing import Found
    from cxrkit.run.predicting import Session
    from cxrkit.run.progress import Display

FEW = 20  # images, which are told one by one


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="model.safetensors of a run, or a state dict (.pth); repeatable, then with columns for each.",
)
@click.option(
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the results; new or empty.",
)
@click.option("--watch", is_flag=True, help="Watch the folders for new images until Ctrl-C.")
@click.option("--anonymous-names", is_flag=True, help="Number the images in place of naming their files.")
@click.option(
    "--cam",
    metavar="METHOD",
    default="GradCAM",
    show_default=True,
    help="Of torchcam, for the overlays: CAM, GradCAM, GradCAMpp, SmoothGradCAMpp, XGradCAM, LayerCAM, ScoreCAM, ...",
)
@click.option("--no-cam", is_flag=True, help="No overlays.")
@of_saved_models
@device_option
@click.option("--quiet", is_flag=True, help="No progress; warnings and the table's path alone.")
@click.option("--json", "as_json", is_flag=True, help="What predictions.json says on standard output.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    paths: tuple[Path, ...],
    models: tuple[Path, ...],
    output: Path,
    watch: bool,
    anonymous_names: bool,
    cam: str,
    no_cam: bool,
    info: Path | None,
    architecture: str | None,
    classes: str | None,
    positive: str | None,
    threshold: float | None,
    image_size: int | None,
    device: Literal["auto", "cpu", "cuda", "mps"],
    quiet: bool,
    as_json: bool,
) -> None:
    """Predict images, folders of images and DICOM files with saved models.

    Threshold, uncertain zone and temperature are those of the model.json beside a model. Results name the file or its
    number, and nothing that a DICOM file tells of its patient. A file that cannot be read is a row with the reason; the
    exit status is 1 only where no file could be.
    """
    from cxrkit.run import examining, predicting
    from cxrkit.run.progress import display, standard_error

    asked = examining.Request(
        models=models,
        data=paths[0],
        output=output,
        info=info,
        architecture=architecture,
        classes=tuple(part.strip() for part in (classes or "").split(",") if part.strip()),
        positive=positive,
        threshold=threshold,
        image_size=image_size,
        device=device,
    )
    shown = display(standard_error(), quiet=quiet or as_json)
    request = predicting.Request(asked, paths, cam=None if no_cam else cam, anonymous=anonymous_names, watch=watch)
    with taking() as take:
        if not output.is_file():
            take(output)
        session = predicting.prepare(request)
        _warn(session, shown)
        table = _watched(session, shown) if watch else _predicted(session, shown)
    click.echo(predicting.document(session).model_dump_json(indent=1) if as_json else table)
    if not watch and predicting.unreadable(session.images).total() == len(session.images):
        raise click.exceptions.Exit(1)


def _warn(session: "Session", shown: "Display") -> None:
    for notice in session.notices:
        shown.warn(notice)
    session.notices.clear()


def _predicted(session: "Session", shown: "Display") -> Path:
    from cxrkit.run import answer_files, predicting

    try:
        with shown.work("predicting") as work:
            for _ in predicting.predict(session, session.found, work.advance):
                _warn(session, shown)
    finally:
        if session.images:  # also of an interruption or a failure
            table = predicting.write(session)
        if 0 < len(session.images) < len(session.found):
            shown.warn(f"{table} has {len(session.images)} of {len(session.found)} images alone.")
    if len(session.images) <= FEW:
        for line in answer_files.lines(session.described, session.images):
            shown.say(line)
    for reason, count in predicting.unreadable(session.images).most_common():
        shown.warn(f"{count} of {len(session.images)} files have no result: {reason}.")
    return table


def _watched(session: "Session", shown: "Display") -> Path:
    from cxrkit.run import answer_files, arrivals, predicting, stopping

    table = predicting.write(session)
    with stopping.stopping() as stop:

        def handle(found: "Sequence[Found]") -> None:
            for image in predicting.predict(session, found, lambda _done, _total: None):
                for line in answer_files.lines(session.described, [image]):
                    shown.say(line)
                _warn(session, shown)
            predicting.write(session)

        folders = ", ".join(str(path) for path in session.request.paths)
        shown.say(f"watching {folders}, Ctrl-C ends")
        arrivals.watch(session.request.paths, session.output, handle, stop)
    shown.say(f"ended after {len(session.images)} images")
    return table
