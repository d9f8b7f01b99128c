import subprocess
import sys

SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from cxrkit_plugins.trackers import cxrkit_epoch_finished
context = SimpleNamespace(directory=Path(sys.argv[1]), epochs=2)
assert "torch" not in sys.modules
for epoch in (1, 2):
    cxrkit_epoch_finished(context, {"epoch": epoch, "val_loss": 1 / epoch})
"""


def test_epochs_are_written_where_tensorboard_reads_them(tmp_path):
    """In a process of its own, as TensorBoard and protobuf warn when they are imported."""
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], check=True, capture_output=True)
    read = (
        "import sys\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n"
        "events = E(sys.argv[1]); events.Reload()\n"
        "print([(e.step, e.value) for e in events.Scalars('val_loss')])"
    )
    folder = str(tmp_path / "tensorboard")
    done = subprocess.run([sys.executable, "-c", read, folder], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[(1, 1.0), (2, 0.5)]"
