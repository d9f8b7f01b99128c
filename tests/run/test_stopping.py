"""Ctrl-C once, twice, SIGTERM and SIGHUP, while a child is at work; the real child is killed by tests/faults."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cxrkit.plans import Notice, Stage
from cxrkit.run import children
from cxrkit.run.stopping import be_deaf, stopping, terminable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes get no signals there")
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
PHANTOM = [sys.executable, "-m", "cxrkit", "data", "phantom", "set", "--images", "5000", "--size", "512"]

CHILD = """
import os, sys, time
def tell(event, **more):
    print('{"event": "%s"%s}' % (event, "".join(f', "{key}": "{value}"' for key, value in more.items())), flush=True)
tell("stage", name=sys.argv[1])
if sys.argv[2] == "deaf":
    time.sleep(60)
assert os.read(0, 100) == b"stop\\n"
tell("stopped", message="Stopped in epoch 2 after step 3")
sys.exit(130)
"""


@pytest.fixture(autouse=True)
def _attached():
    """Let SIGHUP be heard, also where the tests were begun with ``nohup``; give back what it did before."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def carry_out(tmp_path, monkeypatch):
    """Start a child that needs no torch, in a stage, and do something at its first event; return what was heard."""

    def begin(stage, manner, act, work="train", told=b""):
        started, heard = [], []

        def start(_work, _plan, log):
            arguments = [sys.executable, "-c", CHILD, stage, manner]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            started.append(subprocess.Popen(arguments, start_new_session=True, **pipes))
            started[0].stdin.write(told)
            started[0].stdin.flush()
            return started[0]

        def hear(event):
            heard.append(event)
            act(event)

        monkeypatch.setattr(children, "_start", start)
        with pytest.raises(KeyboardInterrupt) as ended, terminable():
            children.carry_out(work, tmp_path / "plan.json", tmp_path / "log.txt", hear)
        assert started[0].poll() is not None
        return str(ended.value), heard

    return begin


def send(number, kind=Stage):
    return lambda event: signal.raise_signal(number) if isinstance(event, kind) else None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_training_is_asked_to_save_first(carry_out, number):
    before = signal.getsignal(number)
    message, heard = carry_out("training", "obedient", send(number))
    assert message == "Stopped in epoch 2 after step 3"
    assert [event.message for event in heard if isinstance(event, Notice)] == [
        "stopping as soon as the step under way is done and saved; Ctrl-C again stops at once"
    ]
    if number != signal.SIGHUP:  # which may come again
        assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_time_it_is_stopped_at_once(carry_out, number):
    def twice(event):
        signal.raise_signal(number)

    message, _ = carry_out("training", "deaf", twice)
    assert message == ""


def test_that_the_terminal_is_gone_is_heard_once(carry_out):
    """The shell tells it its jobs, and the kernel the group in the foreground: that is no second wish to stop."""

    def twice(event):
        if isinstance(event, Stage):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)

    message, _ = carry_out("training", "obedient", twice)
    assert message == "Stopped in epoch 2 after step 3"


@pytest.mark.parametrize("stage", ["loading", "predicting test"])
def test_what_has_nothing_to_save_is_stopped_at_once(carry_out, stage):
    message, heard = carry_out(stage, "deaf", send(signal.SIGINT))
    assert message == ""
    assert [event.name for event in heard] == [stage]


def test_other_work_is_stopped_at_once(carry_out):
    message, _ = carry_out("training", "deaf", send(signal.SIGTERM), work="explain")
    assert message == ""


def test_a_child_that_somebody_else_has_stopped_stops_the_run_too(carry_out):
    """As SIGTERM to every process of a job does."""
    message, _ = carry_out("training", "obedient", lambda _event: None, told=b"stop\n")
    assert message == "Stopped in epoch 2 after step 3"


def test_signals_that_are_ignored_stay_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping() as stop:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_left_in_order_is_left_undisturbed_and_signals_are_heard_again_afterwards(number):
    before = signal.getsignal(number)
    with terminable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        be_deaf()
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_outside_the_main_thread_nothing_is_handled():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with stopping() as stop:
            seen.extend([stop.is_set(), signal.getsignal(signal.SIGTERM)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, before]


def begun(folder, command=PHANTOM, **options):
    """Start to write a phantom, and wait until there are images."""
    process = subprocess.Popen(command, cwd=folder, **options)
    while not list(folder.rglob("*.jpeg")) and process.poll() is None:
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_without_a_stage_of_its_own_leaves_nothing_half_made(tmp_path, number):
    """SIGTERM and SIGHUP too, whose default would end it where it stands."""
    process = begun(tmp_path, stderr=subprocess.PIPE, text=True)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1].splitlines() == ["Error: interrupted"]
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_was_begun_without_output_leaves_nothing_half_made(tmp_path, number):
    """As ``>&- 2>&-`` of a shell does; Python has no standard streams then."""
    process = begun(tmp_path, ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *PHANTOM])
    process.send_signal(number)
    assert process.wait(60) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_closes_leaves_nothing_half_made(tmp_path):
    """Nothing can be printed to it any more, which must not be what the command ends with."""
    ours, terminal = os.openpty()
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    files = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    process = begun(tmp_path, [sys.executable, "-c", take, *PHANTOM], start_new_session=True, **files)
    os.close(terminal)
    os.close(ours)
    assert process.wait(60) == 130
    assert list(tmp_path.iterdir()) == []
