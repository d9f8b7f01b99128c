"""What a training process tells of its end: by whose fault, and whether the same may succeed later."""

import errno
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cxrkit import guard
from cxrkit.errors import InputError, RunError, SurroundingsError
from cxrkit.plans import Failed, Notice, event_adapter
from cxrkit.run import children
from cxrkit.training import child as training_child
from cxrkit.training.events import Events
from cxrkit.training.train import _telling_whose


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RunError("last: cannot be written (full)"),
            "Stopped, and what came last is not saved (last: cannot be written",
        ),
        (RuntimeError("a helper was ended already"), "Stopped"),
    ],
)
def test_a_training_that_was_stopped_and_could_not_be_saved_says_so(monkeypatch, error, told):
    heard = []

    def carry_out(_arguments, _events, stop):
        stop.set()
        raise error

    monkeypatch.setattr(training_child, "Events", lambda: SimpleNamespace(tell=heard.append))
    monkeypatch.setattr(training_child, "_carry_out", carry_out)
    monkeypatch.setattr(guard, "tell_calls", lambda _tell: None)

    assert training_child.main(["train", "plan.json"]) == 130

    assert [event.message.startswith(told) for event in heard] == [True]
    assert ("(" in heard[0].message) == ("(" in told)


@pytest.mark.parametrize("kind", [Failed, Notice])
def test_halves_of_characters_are_told_as_escapes(monkeypatch, capfd, kind):
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back afterwards
    events = Events()
    events.tell(kind(message="caf\udce9.png"))
    events._output.close()
    assert event_adapter.validate_json(capfd.readouterr().out) == kind(message="caf\\udce9.png")


ENDING = """
import sys
from cxrkit.training import child

def carry_out(_arguments, _events, stop):
    child._heed_signals(stop)
    raise {error}

child._carry_out = carry_out
sys.exit(child.main(["train", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("SystemExit(3)", "SystemExit: 3"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ('BaseExceptionGroup("two", [SystemExit(3)])', "BaseExceptionGroup: two (1 sub-exception)"),
    ],
)
def test_whatever_ends_a_training_is_told_and_kept(tmp_path, error, name):
    command = [sys.executable, "-c", ENDING.format(error=error), str(tmp_path / "plan.json")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    (kept,) = tmp_path.glob("cxrkit-error-*.txt")
    told = event_adapter.validate_json(done.stdout)
    assert told.message.startswith(f"unexpected {name}, a fault of cxrkit or of a plugin; {kept} holds")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SurroundingsError("full"), SurroundingsError),
        (OSError(errno.ENOSPC, "No space left on device"), SurroundingsError),
        (RunError("the loss is nan"), RunError),
        (InputError("wrong"), InputError),
    ],
)
def test_what_may_succeed_later_is_told_from_what_the_work_itself_fails_of(error, kind, tmp_path):
    heard = children._Heard()
    heard.take(training_child._failure(error, tmp_path / "plan.json"))
    assert type(heard.failure) is kind
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), SurroundingsError, r"^a file cannot be written \(No space"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), SurroundingsError, "^a process that"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "mine.txt"),
            guard.MisbehaviourError,
            '^trainer "mine" failed',
        ),
    ],
)
def test_what_happens_to_a_trainer_is_not_told_as_its_fault(error, kind, told):
    def trainer():
        raise error

    with pytest.raises(RunError, match=told) as raised, _telling_whose():
        guard.here('trainer "mine"', trainer)
    assert type(raised.value) is kind
