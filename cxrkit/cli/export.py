"""``cxrkit export``: a saved model as a file for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cxrkit.records import ModelInfo
    from cxrkit.run.exporting import Format, Ready
    from cxrkit.run.progress import Display


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(("pth", "onnx")), required=True, help="Of the file.")
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), required=True, help="New file.")
@click.option("--task", metavar="NAME", help="Of a run directory with models of several tasks.")
@click.option("--seed", type=click.IntRange(min=0), help="Of a task that was trained with several.")
@click.option(
    "--info", metavar="FILE", type=click.Path(path_type=Path), help="A model.json that is not beside its model."
)
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="What an ONNX file is checked on; else the run's test set, or generated radiographs where that is gone.",
)
@click.option("--quiet", is_flag=True, help="No progress; warnings and the written files alone.")
def command(
    *,
    model: Path,
    kind: "Format",
    output: Path,
    task: str | None,
    seed: int | None,
    info: Path | None,
    images: Path | None,
    quiet: bool,
) -> None:
    """Write a saved model as PyTorch's state dict or as ONNX, with everything that was fixed with it.

    MODEL is model.safetensors of a run, a state dict with its .json beside it, or a run directory. A .pth holds tensors
    alone under torchvision's names, and a .json beside it the rest. An ONNX file carries the rest in its metadata, and
    is written only if onnxruntime gives with it what PyTorch gives, to 1e-4 of a probability.
    """
    from cxrkit.run import exporting
    from cxrkit.run.progress import display, standard_error

    shown = display(standard_error(), quiet=quiet)
    ready = exporting.prepare(exporting.Request(model, kind, output, task, seed, info, images))
    if ready.info.threshold is None:
        shown.warn(f"{ready.model.weights}: no threshold was chosen for it, the file carries none.")
    written = exporting.write_pth(ready) if kind == "pth" else _onnx(ready, shown)
    shown.say(_told(ready.info))
    for path in written:
        click.echo(path)


def _onnx(ready: "Ready", shown: "Display") -> list[Path]:
    from cxrkit.run import exporting

    with shown.work("exporting") as work:
        found = exporting.write_onnx(ready, work.advance)
    shown.say(
        f"checked with onnxruntime against PyTorch on {found.images} {ready.images.what}: probabilities differ by at "
        f"most {found.probabilities:.1e} (allowed: {exporting.TOLERANCE:.0e}), logits by {found.logits:.1e}"
    )
    return [ready.request.output]


def _told(info: "ModelInfo") -> str:
    known = info.threshold
    chosen = "no threshold" if known is None else f"threshold {known.value:.4g} ({known.rule}"
    if known is not None:
        chosen += f" on {known.set})" if known.set else ")"
    return f"{info.model} of {', '.join(info.class_names)} (positive: {info.positive}), {chosen}"
