import io
import os
import sys

import pytest
from rich.console import Console

from cxrkit.plans import EpochRow, Stage, Step
from cxrkit.run.progress import display, epoch_line, standard_error

ROW = {
    "epoch": 12.0,
    "train_loss": 0.61649,
    "val_loss": 0.5,
    "learning_rate": 1e-3,
    "val_accuracy": 0.8,
    "val_roc_auc": 1,
}


def shown(width, *events):
    """What a terminal of that width is sent, without colours."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)
    with display(console, quiet=False).work("two-seeds, seed 0") as work:
        for event in events:
            work.hear(event)
            work.bars.refresh()
    return console.file.getvalue()


def test_an_epoch_is_told_by_its_main_figures_alone():
    assert epoch_line(ROW) == "epoch 12: train_loss 0.616, val_loss 0.500, val_roc_auc 1.000"
    assert epoch_line({"epoch": 1, "reward": 2.0}) == "epoch 1: reward 2.000"


def test_work_of_unknown_length_shows_no_count():
    assert "/?" not in shown(80, Stage(name="loading"))


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_name_and_the_count_are_whole_at_every_width(width):
    sent = shown(width, Stage(name="predicting test", total=624), Step(step=312, steps=624, images_per_second=90.0))
    assert "two-seeds, seed 0: predicting test" in sent
    assert "312/624" in sent
    assert "…" not in sent


def test_training_counts_the_steps_of_all_epochs():
    step = Step(epoch=2, epochs=3, step=5, steps=10, loss=0.5)
    assert "15/30" in shown(80, Stage(name="training"), step)
    assert "loss 0.500" in shown(80, Stage(name="training"), step)


def test_a_long_line_goes_on_indented_in_a_narrow_terminal():
    lines = [line.rstrip() for line in shown(50, EpochRow(row=ROW)).splitlines()]
    (first,) = [number for number, line in enumerate(lines) if "epoch 12" in line]
    assert lines[first].endswith("two-seeds, seed 0: epoch 12: train_loss 0.616,")
    assert lines[first + 1] == "    val_loss 0.500, val_roc_auc 1.000"


def hung_up():
    """A terminal that was closed."""
    ours, terminal = os.openpty()
    os.close(ours)
    return terminal


def broken_pipe():
    """A pipe whose reader has ended, as that of ``head`` does."""
    read, written = os.pipe()
    os.close(read)
    return written


def full_disk():
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="nothing fails in these manners there")  # noqa: PTH110
@pytest.mark.parametrize("gone", [hung_up, broken_pipe, full_disk])
def test_work_goes_on_where_nobody_reads_what_it_tells(gone, monkeypatch):
    with open(gone(), "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stderr", stream)
        shown = display(standard_error(), quiet=False)
        shown.warn("a plugin")
        with shown.work("two-seeds") as work:
            work.hear(Stage(name="training"))
            work.hear(EpochRow(row=ROW))
        shown.say("done")
        print("what is told otherwise", file=stream, flush=True)
