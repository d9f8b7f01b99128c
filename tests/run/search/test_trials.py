"""``cxrkit search`` with real trainings of a small network."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxrkit import config
from cxrkit.errors import SurroundingsError
from cxrkit.plans import EpochRow
from cxrkit.records import SearchInfo
from cxrkit.run import children


def rows(place, folder=None):
    text = ((folder or place.output) / "search.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def without_times(found):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def test_the_whole_table_is_kept_and_the_best_is_chosen_by_the_selected_epochs_figure(searched):
    place, result = searched
    first, second = rows(place)
    assert (first["batch_size"], second["batch_size"], first["state"]) == ("8", "16", "finished")
    info = SearchInfo.read(place.output / "search.json")
    figures = [float(row["val_roc_auc"]) for row in (first, second)]
    assert info.chosen == (1 if figures[0] > figures[1] else 2)
    for number, row in enumerate((first, second), start=1):
        history = place.output / "trials" / str(number) / "tasks" / "plain" / "seeds" / "0" / "history.csv"
        [epoch] = csv.DictReader(history.read_text(encoding="utf-8").splitlines())
        assert (epoch["epoch"], epoch["val_roc_auc"]) == (row["epoch"], row["val_roc_auc"])
        assert (epoch["val_loss"], epoch["val_accuracy"]) == (row["val_loss"], row["val_accuracy"])
    assert "2 trials" in result.err
    assert f"Trial {info.chosen} was chosen on {info.images['val']} validation images" in result.out


def test_the_choice_says_how_little_it_may_mean(searched):
    place, result = searched
    standing = place.json()["standing"]
    assert standing["auc"]["low"] < standing["auc"]["value"] < standing["auc"]["high"]
    assert standing["auc"]["n"] == place.json()["images"]["val"]
    assert standing["difference"]["low"] <= 0 <= standing["difference"]["high"]
    assert "chance alone may have decided" in result.out
    assert "looks better than it is" in result.out
    assert f"cxrkit run {place.output / 'best.toml'}" in result.out


def test_best_toml_is_the_users_file_with_the_chosen_values_and_loads_as_the_chosen_configuration(searched):
    place, _ = searched
    info = SearchInfo.read(place.output / "search.json")
    values = info.trials[info.chosen - 1].values
    text = (place.output / "best.toml").read_text(encoding="utf-8")
    assert {"# Of the tests", "# short", "# small", "# usual"} <= set(map(str.strip, comments(text)))
    assert f"trial {info.chosen}, the best of 2" in text.splitlines()[0]
    chosen = config.load(place.tasks, sets=[f"task.plain.batch_size={values['batch_size']}"])
    best = config.load(place.output / "best.toml")
    assert best.task == chosen.task
    located = config.located(best, place.output / "best.toml")
    assert Path(located.data.root).resolve() == (place.folder / "data").resolve()
    assert located.data.model_copy(update={"root": "data"}) == chosen.data
    assert located.run.output == str(place.output / "best")


def comments(text):
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


def test_a_search_leaves_no_weights_and_no_word_of_the_test_set(searched):
    place, _ = searched
    names = {path.name for path in place.output.rglob("*")}
    assert "val.csv" in names
    assert not names & {"test.csv", "model.safetensors", "last", "manifest.csv"}


def test_the_same_command_again_trains_nothing_and_tells_the_same(searched, monkeypatch):
    place, before = searched
    monkeypatch.setattr(children, "carry_out", None)
    again = place.search("--method", "grid")
    assert (again.status, again.out) == (0, before.out)
    quiet = place.search("--method", "grid", "--quiet")
    assert (quiet.out, quiet.err) == (f"{place.output / 'best.toml'}\n", "")
    assert SearchInfo.model_validate_json(place.search("--method", "grid", "--json").out).chosen


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["--over", "batch_size=[8,32]"], "search.space"),
        (["--set", "search.metric=val_loss"], "search.metric"),
        (["--set", "task.plain.epochs=3"], "epochs"),
        (["--set", "run.seed=1"], "training images, validation images"),
    ],
)
def test_another_search_in_the_same_folder_is_refused_with_the_keys_named(searched, changes, named):
    place, _ = searched
    before = (place.output / "search.json").read_bytes()
    result = place.search("--method", "grid", *changes)
    assert result.status == 2
    assert f"holds a search with another {named}, change it back, or choose another --output" in result.err
    assert (place.output / "search.json").read_bytes() == before


def test_what_the_test_set_holds_changes_nothing(searched, tmp_path, here):
    """Its images are no images any more: a single look at one would show."""
    place, _ = searched
    shutil.copytree(place.folder / "data", tmp_path / "data")
    other = type(place)(tmp_path)
    other.write(place.tasks.read_text(encoding="utf-8"))
    damaged = [path for path in (tmp_path / "data" / "test").rglob("*") if path.is_file()]
    for path in damaged:
        path.write_bytes(b"")
    assert damaged
    assert other.search("--method", "grid").status == 0
    assert without_times(rows(other)) == without_times(rows(place))


def test_a_trial_that_fails_is_a_row_with_its_reason_and_the_others_go_on(place, here):
    rates = "trainer.learning_rate=[1e30,1e-3]"
    result = place.search("--method", "grid", "--over", rates, "--over", "batch_size=[8]", "--set", SGD)
    assert result.status == 0, result.err
    failed, finished = rows(place)
    assert (failed["state"], failed["val_roc_auc"], finished["state"]) == ("failed", "", "finished")
    assert "the loss is" in failed["reason"]
    assert "1 of 2 trials failed; search.csv says why." in result.out
    assert place.json()["chosen"] == 2


SGD = "task.plain.trainer.optimizer=sgd"


def test_a_search_whose_trials_all_fail_has_status_1_and_keeps_the_table(place, monkeypatch):
    def kill(work, plan, log, hear, *, time_limit=None):
        from cxrkit.errors import RunError

        raise RunError("memory ran out, use a smaller batch_size or image_size")

    monkeypatch.setattr(children, "carry_out", kill)
    result = place.search("--method", "grid")
    assert result.status == 1
    assert "Error: no trial has finished" in result.err
    assert "trial 2: memory ran out" in result.err
    assert [row["state"] for row in rows(place)] == ["failed", "failed"]
    assert not (place.output / "best.toml").exists()


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "same command goes on"),
        (SurroundingsError("a.png: is not as it was (missing file)"), 1, "Error: a.png: is not as it was"),
    ],
)
def test_a_search_that_was_interrupted_goes_on_and_ends_with_the_same_table(
    searched, tmp_path, monkeypatch, here, fault, status, told
):
    place, _ = searched
    train, calls = children.carry_out, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise fault
        train(*arguments, **options)

    monkeypatch.setattr(children, "carry_out", interrupted)
    cut = place.search("--method", "grid", "--output", tmp_path / "cut")
    assert (cut.status, len(place.json(tmp_path / "cut")["trials"])) == (status, 1)
    assert told in cut.err
    told_of_trial = "trial 2 of 2 has not ended, the same command goes on with it" in cut.err
    assert told_of_trial == isinstance(fault, SurroundingsError)
    assert place.search("--method", "grid", "--output", tmp_path / "cut").status == 0
    assert len(calls) == 3
    assert without_times(rows(place, tmp_path / "cut")) == without_times(rows(place))
    before, after = place.json(), place.json(tmp_path / "cut")
    assert (after["chosen"], after["standing"]) == (before["chosen"], before["standing"])


@pytest.fixture
def begun(tmp_path, place, data, here, training):
    """A search of which one epoch of the first trial is done; it lies elsewhere now, and is gone on with here."""
    first, moved = type(place)(tmp_path / "first"), type(place)(tmp_path / "moved")
    shutil.copytree(data, first.folder / "data")
    first.write(
        place.tasks.read_text(encoding="utf-8").replace(f"'{data}'", '"data"').replace("epochs = 1", "epochs = 2")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "carry_out", training(stops_after=1))
        stopped = first.search("--over", "batch_size=[8]", "--method", "grid")
    assert (stopped.status, "Stopped after epoch 1" in stopped.err) == (130, True), stopped.err
    shutil.copytree(first.folder, moved.folder)  # as what counts the epochs for TensorBoard lives on in this process
    (first.folder / "data").rename(tmp_path / "away")
    return moved


def epochs_done_now(place, *changes):
    """Which epochs the same search still trains."""
    seen, train = [], children.carry_out

    def told(work, plan, log, hear, **options):
        def hear_too(event):
            seen.extend([int(event.row["epoch"])] if isinstance(event, EpochRow) else [])
            hear(event)

        train(work, plan, log, hear_too, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "carry_out", told)
        found = place.search("--over", "batch_size=[8]", "--method", "grid", *changes)
    assert found.status == 0, found.err
    return seen, "trial 1 of 1 begins again: what was left of it was of another training" in found.err


@pytest.mark.parametrize("change", ["run.checkpoint_minutes=1", "run.checkpoint_steps=50", "run.workers=1"])
def test_a_trial_goes_on_however_and_wherever_it_is_computed_now(begun, change):
    assert epochs_done_now(begun, "--set", change) == ([2], False)


def test_a_trial_of_another_configuration_begins_again_and_says_so(begun):
    assert epochs_done_now(begun, "--set", "task.plain.trainer.learning_rate=0.002") == ([1, 2], True)


def test_a_trial_of_other_images_begins_again_and_says_so(begun):
    next(path for path in (begun.folder / "data" / "train").rglob("*") if path.is_file()).unlink()
    assert epochs_done_now(begun) == ([1, 2], True)


def test_what_a_search_that_was_killed_left_of_finished_trials_is_removed(searched, tmp_path, here):
    place, _ = searched
    cut = shutil.copytree(place.output, tmp_path / "cut")
    seed = cut / "trials" / "2" / "tasks" / "plain" / "seeds" / "0"
    before = {path for path in cut.rglob("*") if path.is_file()}
    (seed / "last").mkdir()
    for bulk in (seed / "last" / "epoch-1.safetensors", seed / "model.safetensors", cut / "trials/2/manifest.csv"):
        bulk.write_bytes(b"left")
    assert place.search("--method", "grid", "--output", cut).status == 0
    assert {path for path in cut.rglob("*") if path.is_file()} == before
    assert not (seed / "last").exists()


RATES = "trainer.learning_rate={low=1e-5,high=1e-2,log=true}"


@pytest.mark.slow
def test_a_random_search_is_the_same_for_the_same_seed_and_more_trials_add_to_it(place, tmp_path, here):
    assert place.search("--over", RATES, "--trials", "2").status == 0
    assert place.search("--over", RATES, "--trials", "2", "--output", tmp_path / "again").status == 0
    first = without_times(rows(place))
    assert first == without_times(rows(place, tmp_path / "again"))
    assert place.search("--over", RATES, "--trials", "3").status == 0
    assert without_times(rows(place))[:2] == first
    assert len(rows(place)) == 3


@pytest.mark.slow
def test_optuna_goes_on_as_if_it_had_not_been_interrupted(place, tmp_path, here):
    pytest.importorskip("optuna")
    asked = ["--method", "optuna", "--over", "batch_size=[8]", "--over", RATES]
    assert place.search(*asked, "--trials", "3").status == 0
    for trials in (1, 3):
        assert place.search(*asked, "--trials", trials, "--output", tmp_path / "in-two").status == 0
    assert without_times(rows(place)) == without_times(rows(place, tmp_path / "in-two"))


@pytest.mark.slow
def test_a_trial_is_of_all_the_seeds_of_its_task_and_judged_by_their_mean(place, here):
    assert place.search("--method", "grid", "--set", "task.plain.seeds=[0,1]").status == 0
    for number, row in enumerate(rows(place), start=1):
        histories = sorted((place.output / "trials" / str(number)).rglob("history.csv"))
        texts = [path.read_text(encoding="utf-8").splitlines() for path in histories]
        figures = [float(next(csv.DictReader(text))["val_roc_auc"]) for text in texts]
        assert len(figures) == 2
        assert float(row["val_roc_auc"]) == pytest.approx(sum(figures) / 2)
        assert row["epoch"] == "1 1"


WATCHING = """
import sys
def hear(event, arguments):
    if event == "open" and "/data/" in str(arguments[0]):
        with open({log!r}, "a") as log:
            log.write(str(arguments[0]) + chr(10))
sys.addaudithook(hear)
"""


@pytest.mark.slow
def test_no_process_of_a_search_opens_a_test_image_and_a_killed_one_goes_on(searched, tmp_path):
    """The real command and its children, killed within a trial; the interpreter tells every file that they open."""
    place, _ = searched
    site, log = tmp_path / "site", tmp_path / "opened.txt"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCHING.format(log=str(log)), encoding="utf-8")
    arguments = ["search", place.tasks, "--method", "grid", "--output", tmp_path / "out"]
    command = [sys.executable, "-m", "cxrkit", *arguments]
    environment = os.environ | {"PYTHONPATH": str(site)}
    killed = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    second = tmp_path / "out" / "trials" / "2" / "tasks" / "plain" / "seeds" / "0" / "log.txt"
    while not second.exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "trial 1 of 2" not in done.stderr
    assert without_times(rows(place, tmp_path / "out")) == without_times(rows(place))
    opened = {Path(line) for line in log.read_text(encoding="utf-8").splitlines()}
    folders = {path.relative_to(place.folder / "data").parts[0] for path in opened if path.suffix == ".jpeg"}
    assert folders == {"train", "val"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_trial_whose_process_alone_is_killed_is_gone_on_with(searched, tmp_path):
    """As the system does when memory runs out: that is no fault of the values, and nothing of the trial is lost."""
    place, _ = searched
    arguments = ["search", place.tasks, "--method", "grid", "--output", tmp_path, "--set", "task.plain.epochs=15"]
    command = [sys.executable, "-m", "cxrkit", *map(str, arguments), "--over", "batch_size=[8]"]
    seed = tmp_path / "trials" / "1" / "tasks" / "plain" / "seeds" / "0"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as cut:
        while not (found := children_of(cut.pid)):
            assert cut.poll() is None
            time.sleep(0.05)
        while not list(seed.glob("last/*.safetensors")):
            assert cut.poll() is None
            time.sleep(0.02)
        os.kill(found[0], signal.SIGKILL)
        told = cut.communicate()[1]
    assert (cut.returncode, "because it was killed" in told) == (1, True)
    assert "trial 1 of 1 has not ended, the same command goes on with it" in told
    assert list(seed.glob("last/*.safetensors"))
    assert not (tmp_path / "search.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "begins again" not in done.stderr
    history = csv.DictReader((seed / "history.csv").read_text(encoding="utf-8").splitlines())
    assert [int(row["epoch"]) for row in history] == list(range(1, 16))


def children_of(parent):
    """The processes that train for a command."""
    listed = subprocess.run(["ps", "-eo", "ppid,pid,args"], capture_output=True, text=True, check=True).stdout
    found = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(pid) for ppid, pid, *args in found if ppid == str(parent) and "cxrkit.training.child" in args[0]]
