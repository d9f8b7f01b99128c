"""A plugin that misbehaves ends its own task alone, with a sentence that says how."""

import signal
import sys

import pytest

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
