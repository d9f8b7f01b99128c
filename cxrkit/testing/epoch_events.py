"""What a listener to finished epochs promises."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit.testing import contexts
from cxrkit.testing.check import need
from cxrkit.testing.contexts import EPOCHS, Watched
from cxrkit.testing.run_events import Listener


def hears_of_each_epoch(listener: Listener) -> None:
    """Takes each epoch of a training, and leaves the row as it is."""
    with _training() as context:
        for epoch in range(1, EPOCHS + 1):
            row = _row(epoch)
            listener.hear(context=context, row=row)
            need(row == _row(epoch), f"changes the row to {dict(row)}")


def hears_of_a_training_that_goes_on(listener: Listener) -> None:
    """Takes a training that goes on after its first epoch."""
    with _training() as context:
        listener.hear(context=context, row=_row(EPOCHS))


def hears_of_other_columns(listener: Listener) -> None:
    """Takes a row of `epoch` alone, for a trainer tells what it has."""
    with _training() as context:
        listener.hear(context=context, row={"epoch": EPOCHS})


def _row(epoch: int) -> Mapping[str, float]:
    return {"epoch": epoch, "train_loss": 0.7 / epoch, "val_loss": 0.6 / epoch, "val_roc_auc": 0.5 + 0.1 * epoch}


@contextmanager
def _training() -> Iterator[Watched]:
    with TemporaryDirectory(prefix="cxrkit-", ignore_cleanup_errors=True) as directory, contexts.undisturbed():
        folder = Path(directory) / "tasks" / "first" / "seeds" / "0"
        folder.mkdir(parents=True)
        yield contexts.context(folder)


PROMISES = (hears_of_each_epoch, hears_of_a_training_that_goes_on, hears_of_other_columns)
