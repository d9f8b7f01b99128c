"""A stranger's code is called, given up where it must be, named, and leaves the process as it was."""

import os
import random
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest

from cxrkit import discovery, guard
from cxrkit.api import FinishedRun, Predictions
from cxrkit.errors import InputError, StopTraining
from cxrkit.guard import MisbehaviourError


class Odd(BaseException):
    pass


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize("how", [guard.call, guard.here])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no\nluck"), "the plugin failed (ValueError: no luck)"),
        (SystemExit(3), "the plugin called sys.exit(3)"),
        (SystemExit(), "the plugin called sys.exit()"),
        (KeyboardInterrupt(), "the plugin failed (KeyboardInterrupt)"),
        (Odd("x"), "the plugin failed (Odd: x)"),
    ],
)
def test_whatever_is_raised_is_told_in_a_sentence(how, error, told):
    with pytest.raises(MisbehaviourError) as raised:
        how("the plugin", raising(error))
    assert str(raised.value) == told
    assert raised.value.__cause__ is error


def test_nothing_but_a_trainer_says_that_training_stops():
    with pytest.raises(MisbehaviourError, match=r"^the plugin failed \(StopTraining: now\)$"):
        guard.call("the plugin", raising(StopTraining("now")))


class Text(str):
    __slots__ = ()

    def __str__(self):
        return self

    def __format__(self, _form):
        raise SystemExit(7)


class Saying(Exception):  # noqa: N818 - its name is told
    """Says what its function does."""

    def __str__(self):
        return self.args[0]()


class Code:
    def __repr__(self):
        raise KeyboardInterrupt


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("how", [guard.call, guard.here])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Saying(raising(LookupError())), "failed (Saying)"),
        (Saying(raising(KeyboardInterrupt())), "failed (Saying)"),
        (Saying(raising(SystemExit(7))), "failed (Saying)"),
        (Saying(lambda: Text("no luck")), "failed (Saying: no luck)"),
        (type(Text("Named"), (Exception,), {})("no luck"), "failed (Named: no luck)"),
        (RuntimeError("caf\udce9.png"), "failed (RuntimeError: caf\\udce9.png)"),
        (caused(ValueError("no luck"), Saying(lambda: Text("x"))), "failed (ValueError: no luck)"),
        (caused(ValueError("no luck"), OSError("caf\udce9.png")), "failed (ValueError: no luck)"),
        (SystemExit(Code()), "called sys.exit('')"),
        (type("Refusing", (InputError,), {"__str__": raising(KeyboardInterrupt())})("no"), "failed (Refusing)"),
    ],
)
def test_what_was_raised_can_be_told_and_kept_whatever_it_says(how, error, told):
    with pytest.raises(MisbehaviourError) as raised:
        how("the plugin", raising(error))
    assert str(raised.value) == f"the plugin {told}"
    kept = "".join(traceback.format_exception(raised.value)).encode().decode()
    assert ", in function" in kept  # where the plugin raised it


def test_what_never_says_what_it_is_is_given_up_and_named(monkeypatch):
    ends = threading.Event()
    with pytest.raises(MisbehaviourError, match=r"^the plugin was not done after 0\.05 seconds") as raised:
        guard.call("the plugin", raising(Saying(ends.wait)), seconds=0.05)
    assert raised.value.timed_out
    monkeypatch.setattr(guard, "TELLING_SECONDS", 0.05)
    with pytest.raises(MisbehaviourError, match=r"^the plugin failed \(Saying\)$"):
        guard.here("the plugin", raising(Saying(ends.wait)))
    assert guard.call("the plugin", lambda: 7) == 7
    ends.set()


INTERRUPTED = """
import sys, time
from cxrkit import guard

class Saying(Exception):
    def __str__(self):
        return wait()

def wait():
    sys.stderr.write("ready\\n")
    sys.stderr.flush()
    time.sleep(600)

try:
    {called}
except KeyboardInterrupt:
    guard.leave(130)
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes get no signals there")
@pytest.mark.parametrize("called", ['guard.call("the plugin", wait)', "guard.in_short(Saying())"])
def test_the_users_interrupt_ends_the_wait_for_a_plugin(called):
    command = [sys.executable, "-c", INTERRUPTED.format(called=called)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130


def test_an_error_that_says_too_much_is_told_in_short():
    with pytest.raises(MisbehaviourError) as raised:
        guard.call("the plugin", raising(ValueError("x" * 100_000)))
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (guard.call, InputError("weights: no such file")),
        (guard.here, InputError("weights: no such file")),
        (guard.here, StopTraining("saved")),
    ],
)
def test_what_is_meant_for_the_user_passes(how, error):
    with pytest.raises(type(error)) as raised:
        how("the plugin", raising(error))
    assert raised.value is error


def test_a_call_that_does_not_end_is_given_up_and_the_next_one_is_made():
    ends = threading.Event()
    with pytest.raises(MisbehaviourError, match=r"not done after 0\.05 seconds .*\[run\] plugin_minutes") as raised:
        guard.call("the plugin", ends.wait, seconds=0.05)
    assert raised.value.timed_out
    assert guard.call("the plugin", lambda: 7) == 7
    ends.set()


def test_the_calls_of_one_thread_follow_each_other():
    threads = {guard.call("the plugin", threading.current_thread) for _ in range(3)}
    assert len(threads) == 1
    assert threads != {threading.current_thread()}
    assert guard.call("one", lambda: guard.call("within", lambda: 7)) == 7


@pytest.mark.parametrize("how", [guard.call, guard.here])
def test_what_a_plugin_changes_for_everybody_is_put_back(how, tmp_path, capfd):
    def change():
        sys.stdout.write("printed\n")
        os.write(1, b"written\n")
        os.chdir(tmp_path)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 - what is tested
        warnings.simplefilter("error")
        sys.stdout.close()
        sys.stderr.close()
        sys.stdout = None

    folder, filters, streams = Path.cwd(), list(warnings.filters), (sys.stdout, sys.stderr)
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - what is tested
    how("the plugin", change)
    assert (Path.cwd(), list(warnings.filters), (sys.stdout, sys.stderr)) == (folder, filters, streams)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002 - what is tested
    told = capfd.readouterr()
    assert told.out == ""
    assert "printed" in told.err
    assert "written" in told.err


PRINTING = """
import ctypes, sys, threading, time
from cxrkit import guard

def quiet():
    sys.__stdout__.write("buffered\\n")
    ctypes.CDLL(None).puts(b"by C")
    threading.Thread(target=late).start()

def late():
    time.sleep(0.2)
    print("by a thread")

def hang():
    time.sleep(0.3)
    print("given up")

guard.call("the plugin", quiet)
try:
    guard.call("the plugin", hang, seconds=0.05)
except guard.MisbehaviourError:
    pass
time.sleep(0.6)
print("{}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has several C runtimes")
def test_what_is_printed_late_or_into_a_buffer_spoils_no_json():
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    told = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout == "{}\n"
    assert {"buffered", "by C", "by a thread", "given up"} <= set(told.stderr.splitlines())


def test_arguments_cannot_be_written_to_and_stay_as_they_are():
    given = Predictions(
        "a", "test", None, ("n", "p"), "p", *(np.array(["x"]),) * 2, np.array([1]), np.array(["ok"]), np.eye(2)[1:]
    )
    seen = guard.read_only(given)
    with pytest.raises(ValueError, match="read-only"):
        seen.probabilities[0] = 0
    assert np.shares_memory(seen.probabilities, given.probabilities)
    given.probabilities[0] = 0.5
    options = {"weights": [1, 2]}
    guard.options(options)["weights"].append(3)
    assert options == {"weights": [1, 2]}


IMPORTED = """
    import time
    {first}
    import cxrkit

    @cxrkit.hookimpl
    def cxrkit_run_finished(run):
        {hook}
"""


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("time.sleep(600)", "was not done after 0.2 seconds"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise SystemExit(4)", "SystemExit: 4"),
        ("class Odd(BaseException): pass\n    raise Odd('oh')", "Odd: oh"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_left_out_and_named(install, first, told):
    module = f"acme_bad_{sum(map(ord, first))}"  # one that hangs keeps its name's lock
    install("acme-bad", IMPORTED.format(first=first, hook="pass"), module=module)
    install("acme-good", IMPORTED.format(first="", hook="pass"), entry_point="good")
    plugins = discovery.load("cxrkit", seconds=5 if "sleep" not in first else 0.2)
    (broken,) = [one for one in plugins.broken if one.distribution == "acme-bad"]
    assert str(broken) == 'plugin "extra" of acme-bad 1.2'
    assert told in broken.reason
    assert "good" in [source.entry_point for source in plugins.sources]


def test_a_tracker_that_hangs_is_named_and_not_told_again(install):
    install("acme-slow", IMPORTED.format(first="", hook="time.sleep(600)"))
    plugins = discovery.load("cxrkit")
    run = FinishedRun(Path(), (), {})
    try:
        guard.limit_calls(0.2)
        (told,) = plugins.tell("cxrkit_run_finished", run=run)
    finally:
        guard.limit_calls(guard.CALL_SECONDS)
    assert told.startswith('plugin "extra" of acme-slow 1.2: cxrkit_run_finished was not done after 0.2 seconds')
    assert plugins.tell("cxrkit_run_finished", run=run) == []


LEAVING = """
import sys, threading, time
from cxrkit import cli, guard
def linger():
    threading.Thread(target=time.sleep, args=(600,)).start()
guard.call("the plugin", linger)
guard.GRACE = 0.1
sys.argv = ["cxrkit", "--version"]
cli.main()
"""


def test_a_thread_that_a_plugin_left_does_not_keep_the_command_from_ending():
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("cxrkit ")


def test_a_file_of_the_working_folder_takes_no_modules_place(tmp_path):
    (tmp_path / "click.py").write_text("raise SystemExit('shadowed')\n", encoding="utf-8")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "cxr_neighbour.py").write_text("", encoding="utf-8")
    command = [*guard.python_module("cxrkit"), "--version"]
    found = os.environ | {"PYTHONPATH": str(tmp_path / "here")}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=found, check=False)
    assert done.stdout.startswith("cxrkit ")
    bare = [sys.executable, "-m", "cxrkit", "--version"]
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    shadowed = subprocess.run(bare, cwd=tmp_path, env=usual, capture_output=True, text=True, check=False)
    assert "shadowed" in shadowed.stderr
    kept = [sys.executable, "-P", "-c", "import cxr_neighbour"]  # a plugin found through PYTHONPATH still is
    assert subprocess.run(kept, cwd=tmp_path, env=found, check=False).returncode == 0


def test_the_time_is_given_in_words():
    told = "was not done after 10 minutes and was given up ([run] plugin_minutes sets the limit)"
    assert guard._too_long(600) == told
