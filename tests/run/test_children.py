"""A plugin that misbehaves ends its own task alone, with a sentence that says how."""

import os
import signal
import subprocess
import sys

import pytest

from cxrkit.errors import RunError, SurroundingsError
from cxrkit.plans import Stage
from cxrkit.run import children

TRAINERS = """
    import os, signal, sys, time
    import cxrkit

    def hangs(context):
        time.sleep(600)

    def crashes(context):
        os.kill(os.getpid(), signal.SIGKILL)

    def leaves(context):
        sys.exit(0)

    def raises(context):
        raise ValueError("no such luck")

    def prints(context):
        print("{}" * 1000)
        os.write(1, b"not an event\\n")
        context.epoch_finished({"epoch": 1, **context.validate(context.model)})

    @cxrkit.hookimpl
    def cxrkit_register_trainers():
        return {"hangs": hangs, "crashes": crashes, "leaves": leaves, "raises": raises, "prints": prints}
"""


def tasks(*names):
    return "".join(f'[[task]]\nname = "{name}"\ntrainer = "{name}"\n' for name in names)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_each_misbehaviour_ends_its_task_alone_with_its_own_sentence(study, strangers, install):
    install("bad-trainers", TRAINERS, group="cxrkit.train")
    head = (study.folder / "tasks.toml").read_text().split("[[task]]")[0]
    hangs = tasks("hangs") + "time_limit = 0.003\n"  # hours: eleven seconds
    study.write(
        head
        + hangs
        + tasks("crashes", "leaves", "raises", "prints")
        + '[report]\nformats = ["txt"]\n[explain]\nmethod = "none"\n[evaluation]\nresamples = 100\n'
    )
    result = study.cxrkit_run(PYTHONPATH=str(strangers))
    assert result.returncode == 1
    failures = {
        name: study.json(f"tasks/{name}/task.json")["failure"] for name in ("hangs", "crashes", "leaves", "raises")
    }
    assert "ran past its time limit of 0.003 hours" in failures["hangs"]
    assert "was killed" in failures["crashes"]
    assert f"signal {int(signal.SIGKILL)}" not in failures["crashes"]
    assert "called sys.exit(0)" in failures["leaves"]
    assert "failed (ValueError: no such luck)" in failures["raises"]
    for name, failure in failures.items() - {("hangs", failures["hangs"])}:  # its time may pass while torch is loaded
        by = f'trainer "{name}" (plugin "extra" of bad-trainers 1.2, cxrkit_register_trainers)'
        assert by in failure
    assert study.json("tasks/prints/task.json")["state"] == "finished"
    assert "{}{}" in (study.run / "tasks/prints/seeds/0/log.txt").read_text(encoding="utf-8")


CHILD = """
import os, signal, sys, time
print('{"event": "stage", "name": "training"}', flush=True)
end = sys.argv[1]
if end == "leaves":
    os._exit(3)
if end == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
time.sleep(60)
"""
KILLED = "because it was killed (often for want of memory: lower batch_size or [run] workers), see "


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize(
    ("end", "from_outside", "told"),
    [
        (signal.SIGKILL, True, KILLED),
        (signal.SIGTERM, True, "because it was told to stop (SIGTERM), see "),
        ("leaves", False, "with status 3, see "),
        ("crashes", False, f"by signal {int(signal.SIGSEGV)} (SIGSEGV), see "),
        ("takes too long", False, "ran past its time limit of 1e-09 hours and was ended, raise time_limit"),
    ],
)
def test_a_process_that_somebody_else_ends_is_no_fault_of_its_work(tmp_path, monkeypatch, end, from_outside, told):
    """A child that needs no torch; at its first event the signal comes, if one does."""
    started = []

    def start(_work, _plan, log):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        started.append(subprocess.Popen([sys.executable, "-c", CHILD, str(end)], start_new_session=True, **pipes))
        return started[0]

    def hear(event):
        if isinstance(event, Stage) and isinstance(end, signal.Signals):
            os.kill(started[0].pid, end)

    monkeypatch.setattr(children, "_start", start)
    limit = 1e-9 if end == "takes too long" else None
    with pytest.raises(RunError) as ended:
        children.carry_out("train", tmp_path / "plan.json", tmp_path / "log.txt", hear, time_limit=limit)
    assert isinstance(ended.value, SurroundingsError) == from_outside
    assert told in str(ended.value)
    assert started[0].poll() is not None
