"""Two processes and one folder: one writes, the other is told or waits, and no lock outlives those who held it."""

import errno
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import filelock
import pytest

from cxrkit import locking
from cxrkit.cli import cli
from cxrkit.data.download import fetching_alone
from cxrkit.errors import InputError, RunError
from cxrkit.locking import held
from cxrkit.run import study

HOLD = """
import sys, subprocess, time
from pathlib import Path
from cxrkit import locking
with locking.held(Path(sys.argv[1]), "cxrkit run"):
    child = ["sleep", "60"] if sys.argv[2:] else None
    started = child and subprocess.Popen(child, pass_fds=locking.descriptors(), start_new_session=True)
    print(started.pid if started else 0, flush=True)
    sys.stdin.read()
"""
COUNT = """
import sys, time
from pathlib import Path
from cxrkit import locking
folder, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(20):
    with locking.held(folder, "count", wait=True):
        before = int(counter.read_text())
        time.sleep(0.002)
        counter.write_text(str(before + 1))
"""
PREDICTIONS = "image,label,p_A,p_B\n" + "".join(
    f"{number}.png,{'AB'[number % 2]},{0.9 - number / 25:.2f},{0.1 + number / 25:.2f}\n" for number in range(20)
)
posix = pytest.mark.skipif(os.name == "nt", reason="a lock is handed on to children on POSIX alone")


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locking, "POLL", 0.02)


@pytest.fixture
def holder(tmp_path):
    """Start processes that hold a folder's lock until their standard input ends."""
    started = []

    def hold(folder, *, with_child=False):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), *(["child"] if with_child else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        process.child = int(process.stdout.readline())
        return process

    yield hold
    for process in started:
        process.kill()
        if process.child:
            os.kill(process.child, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_process_is_told_who_writes_since_when_and_what_is_allowed(tmp_path, holder):
    first = holder(tmp_path / "run")

    with pytest.raises(InputError) as refused, held(tmp_path / "run", "cxrkit run", wait=False):
        pass

    assert str(refused.value).startswith(f"{tmp_path / 'run'}: cxrkit run (process {first.pid}, since 2")
    assert str(refused.value).endswith(
        "is writing here, one at a time is allowed; wait for it with --wait, or choose another folder"
    )


def test_a_process_of_another_machine_is_named_with_it(tmp_path, holder):
    holder(tmp_path)
    owner = locking.Owner.model_validate_json((tmp_path / locking.OWNER).read_bytes())
    (tmp_path / locking.OWNER).write_text(owner.model_copy(update={"host": "gpu7"}).model_dump_json())

    with pytest.raises(InputError, match=rf"\(process {owner.pid} on gpu7, since .*; choose another folder"):
        held(tmp_path, "cxrkit predict").__enter__()


def test_two_folders_never_meet(tmp_path, holder):
    holder(tmp_path / "a")

    with held(tmp_path / "b", "cxrkit run"):
        pass


def test_the_second_can_wait(tmp_path, holder):
    first, told = holder(tmp_path), []

    def say(sentence):
        told.append(sentence)
        first.stdin.close()

    with held(tmp_path, "cxrkit run", wait=True, say=say):
        assert first.wait() == 0

    assert len(told) == 1
    assert f": waiting until cxrkit run (process {first.pid}, since 20" in told[0]


def test_the_lock_of_a_killed_process_is_none(tmp_path, holder):
    first = holder(tmp_path)
    first.kill()
    first.wait()
    assert (tmp_path / locking.OWNER).is_file()

    with held(tmp_path, "cxrkit run", wait=False):
        assert f'"pid":{os.getpid()}' in (tmp_path / locking.OWNER).read_text()


@posix
def test_while_the_child_of_a_killed_process_lives_nobody_comes_in(tmp_path, holder, monkeypatch):
    first, told = holder(tmp_path, with_child=True), []
    first.kill()
    first.wait()
    monkeypatch.setattr(locking, "PATIENCE", 0.2)

    with pytest.raises(InputError, match=rf"\(process {first.pid}\) was killed and a process that it started still"):
        held(tmp_path, "cxrkit run", wait=False, say=told.append).__enter__()

    assert told == [f"{tmp_path}: waiting until the processes of a cxrkit run that was killed have ended"]


@posix
def test_a_child_that_ends_soon_is_waited_for_without_being_asked(tmp_path, holder):
    first = holder(tmp_path, with_child=True)
    first.kill()
    first.wait()

    def say(_sentence):
        os.kill(first.child, signal.SIGKILL)
        first.child = 0

    with held(tmp_path, "cxrkit run", wait=False, say=say):
        assert first.child == 0


def test_nothing_of_the_lock_stays_and_no_empty_folder(tmp_path):
    with held(tmp_path / "runs/a", "cxrkit run"):
        assert {path.name for path in (tmp_path / "runs/a").iterdir()} == locking.FILES
        assert locking.is_empty(tmp_path / "runs/a")
    assert not (tmp_path / "runs").exists()

    with held(tmp_path / "runs/a", "cxrkit run"):
        (tmp_path / "runs/a/run.json").touch()
    assert [path.name for path in (tmp_path / "runs/a").iterdir()] == ["run.json"]


@pytest.mark.faults
def test_many_that_wait_for_each_other_are_never_two_at_once(tmp_path):
    """Also while the file of the lock is removed by the one before."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path / "run"), str(counter)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert counter.read_text() == "60"


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("no flock")])
def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, error):
    def refuse(*_arguments, **_named):
        raise error

    told = []
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with held(tmp_path, "cxrkit run", say=told.append):
        pass
    what = "this file system has no locks, so nothing keeps a second cxrkit from writing here, start one at a time"
    assert told == [f"{tmp_path}: {what}"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def refuse(*_arguments, **_named):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path / locking.LOCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(RunError, match=r"cannot be written \(Read-only file system\), it is mounted for reading alone"):
        held(tmp_path, "cxrkit run").__enter__()


# ── The commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run directory of predictions, evaluated."""
    place = tmp_path_factory.mktemp("finished")
    (place / "model.csv").write_text(PREDICTIONS)
    assert command("report", place / "model.csv", "--positive", "B", "--format", "txt", "--output", place / "out") == 0
    return place / "out/run"


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli([str(argument) for argument in arguments])
    return ended.value.code


def test_commands_that_write_into_a_run_directory_are_refused_and_those_that_read_are_not(
    finished, holder, tmp_path, capsys
):
    holder(finished)

    for name in ("report", "compare", "plot"):
        assert command(name, finished) == 2
        assert f"Error: {finished}: cxrkit run (process " in capsys.readouterr().err
    assert not list(finished.glob("report/*.html"))

    assert command("report", finished, "--format", "txt", "--output", tmp_path / "elsewhere") == 0
    assert command("compare", finished, "--output", tmp_path / "comparison.txt") == 0
    assert (tmp_path / "comparison.txt").is_file()


def test_a_part_of_a_run_directory_belongs_to_the_run(finished, holder, tmp_path, capsys):
    holder(finished)
    assert command("plot", finished, "--output", finished / "report/figures") == 2
    assert "is writing here" in capsys.readouterr().err


def test_a_command_waits_where_it_is_asked_to(finished, holder, tmp_path, capsys, monkeypatch):
    """Until the one before has ended, which it does while it is waited for."""
    first = holder(finished)
    monkeypatch.setattr(locking.time, "sleep", lambda _seconds: first.stdin.close())
    assert command("compare", finished, "--wait") == 0
    shown = capsys.readouterr()
    assert f"{finished}: waiting until cxrkit run (process {first.pid}" in shown.err
    assert (finished / "report/comparison_report.txt").is_file()


def test_a_refused_command_leaves_no_lock(finished, capsys):
    assert command("report", finished, "--positive", "B") == 2
    assert not locking.FILES & {path.name for path in finished.iterdir()}


TASKS = """
[run]
output = "run"
[data]
positive = "B"
[[task]]
name = "theirs"
predictions = { test = "test.csv" }
threshold = { rule = "fixed", value = 0.5 }
"""


def test_a_run_is_refused_before_it_reads_anything_and_a_dry_run_is_not(tmp_path, capsys, monkeypatch):
    (tmp_path / "test.csv").write_text(PREDICTIONS)
    (tmp_path / "tasks.toml").write_text(TASKS)
    with held(tmp_path / "run", "cxrkit run"):
        assert command("run", "tasks.toml", "--dry-run") == 0
        monkeypatch.setattr(study, "_imported", lambda *_: 1 / 0)
        assert command("run", "tasks.toml") == 2
        assert f"(process {os.getpid()}, since " in capsys.readouterr().err


def test_two_downloads_into_one_folder_do_not_mix_their_parts(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("test/A/1.png", b"a")
    with fetching_alone(Path("data/set"), wait=False, say=print):
        assert command("data", "download", "set.zip", "--output", "data/set") == 2
        shown = capsys.readouterr().err
        assert "Error: data/set: cxrkit data download (process " in shown
        assert "wait for it with --wait" in shown
    assert not (tmp_path / "data").exists()
    assert command("data", "download", "set.zip", "--output", "data/set") == 0
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["set", "set.download.json"]
