"""Writes each finished epoch where TensorBoard finds it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cxrkit import hookimpl
from cxrkit.api import TrainingContext

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_writers: dict[Path, "SummaryWriter"] = {}


@hookimpl
def cxrkit_epoch_finished(context: TrainingContext, row: Mapping[str, float]) -> None:
    """Write the epoch's figures to ``tensorboard/`` in the folder of the task and seed."""
    epoch = int(row["epoch"])
    writer = _writer(context.directory / "tensorboard", epoch)
    for name, value in row.items():
        if name != "epoch":
            writer.add_scalar(name, value, epoch)
    writer.flush()
    if epoch == context.epochs:
        _writers.pop(context.directory / "tensorboard").close()


def _writer(folder: Path, epoch: int) -> "SummaryWriter":
    """Open a folder's writer once; figures that an interrupted training left of later epochs are taken back."""
    if folder not in _writers:
        from torch.utils.tensorboard import SummaryWriter

        _writers[folder] = SummaryWriter(str(folder), purge_step=epoch)
    return _writers[folder]
