"""Run directories of strangers: what they name lies within them, or is refused in a sentence."""

import csv
import json
import os
import shutil
import sys
from io import StringIO

import pytest
from click.testing import CliRunner
from PIL import Image

from cxrkit.cli import cli
from cxrkit.report import house, wording
from cxrkit.report.chapters.cases import jpeg
from cxrkit.rundir import RunDirectory

SECRET = (251, 3, 7)


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of a run in a folder of its own, beside a picture that is none of its business."""
    copied = RunDirectory(tmp_path / "theirs" / "run")
    shutil.copytree(finished_run.root, copied.root)
    Image.new("RGB", (64, 64), SECRET).save(tmp_path / "secret.jpg")
    return copied


def call(command, run, *arguments):
    return CliRunner().invoke(cli, [command, str(run.root), *map(str, arguments)])


def changed(path, change):
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def one_sentence(done):
    assert done.exit_code == 2, done.output
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize("command", ["report", "compare", "plot"])
@pytest.mark.parametrize("name", ["../../secret", "..", "/etc", "a/b", "x" * 300])
def test_a_tasks_name_leads_to_no_other_folder(run, tmp_path, command, name):
    changed(run.info, lambda info: info["tasks"].update({name: "finished"}))
    where = [] if command == "compare" else ["--output", tmp_path / "out"]
    assert "is no name of a file in it, a run directory names no other folder" in one_sentence(
        call(command, run, *where)
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("overlay", ["../../../../../secret.jpg", "{tmp}/secret.jpg"])
def test_a_map_leads_to_no_other_folder(run, tmp_path, overlay):
    index = next(iter(sorted(run.root.glob("tasks/*/cam/index.json"))))

    def everywhere(document):
        for entry in document["entries"]:
            entry["overlay"] = overlay.format(tmp=tmp_path)

    changed(index, everywhere)
    assert "is no name of a file in it" in one_sentence(call("report", run, "--format", "html"))


def test_a_hash_in_the_manifest_leads_to_no_other_folder(run):
    rows = list(csv.DictReader(StringIO(run.manifest.read_text(encoding="utf-8"))))
    text = StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows({**row, "sha256": "../../../secret"} for row in rows)
    run.manifest.write_text(text.getvalue(), encoding="utf-8")
    assert "is no name of a file in it" in one_sentence(call("report", run, "--format", "html"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("command", ["report", "compare", "plot"])
@pytest.mark.parametrize("name", ["images/x.jpg", "report", "tasks/scratch/curves"])
def test_a_link_out_of_the_run_is_refused_and_nothing_is_written_through_it(run, tmp_path, command, name):
    target = tmp_path / "target"
    target.mkdir()
    place = run.root / name
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to(tmp_path / "secret.jpg" if place.suffix else target)
    where = ["--output", tmp_path / "out"] if command == "plot" else []
    assert f"{place}: is a link that leads out of the run directory" in one_sentence(call(command, run, *where))
    assert list(target.iterdir()) == []


def test_a_recorded_logo_and_templates_come_from_the_run_or_its_project_alone(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.html.j2").write_text("mine", encoding="utf-8")

    def elsewhere(info):
        info["configuration"]["report"] = {"logo": "../../secret.jpg", "templates": str(tmp_path / "mine")}
        info["folder"] = "."

    changed(run.info, elsewhere)
    heard = []
    assert house.of_runs([run], None, None, heard.append) == house.PLAIN
    for line, key in zip(heard, ("templates", "logo"), strict=True):
        assert line.startswith(f"{run.info}: report.{key}: ")
        assert line.endswith(f"the report is written without it, --{key} gives another")
    shutil.copy(tmp_path / "secret.jpg", run.root / "logo.jpg")
    changed(run.info, lambda info: info["configuration"].update(report={"logo": "logo.jpg"}))
    found = house.of_runs([run], None, None, heard.append)
    assert found.logo.content == (tmp_path / "secret.jpg").read_bytes()
    assert len(heard) == 2


@pytest.mark.parametrize("name", ["huge.jpg", "wide.png", "text.jpg", "empty.jpg", "a.gif"])
def test_a_thumbnail_that_is_none_is_left_out(tmp_path, name, capfd):
    path = tmp_path / name
    if name == "huge.jpg":
        Image.new("L", (8, 8)).save(path)
        content = path.read_bytes()
        at = content.index(b"\xff\xc0") + 5
        path.write_bytes(content[:at] + b"\xff\xdc\xff\xdc" + content[at + 4 :])
    elif name == "wide.png":
        Image.new("L", (5000, 8)).save(path)
    elif name == "a.gif":
        Image.new("L", (8, 8)).save(path)
    else:
        path.write_bytes(b"text" if name == "text.jpg" else b"")
    assert jpeg(path) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["report", "compare", "plot"])
@pytest.mark.parametrize(
    ("table", "value"), [("data", True), ("explain", {"most": "["}), ("report", {"title": [1]}), ("report", "x")]
)
def test_a_recorded_configuration_of_wrong_types_is_told_with_its_key(run, tmp_path, command, table, value):
    changed(run.info, lambda info: info["configuration"].update({table: value}))
    where = [] if command == "compare" else ["--output", tmp_path / "out"]
    assert f"run.json: configuration: {table}" in one_sentence(call(command, run, *where))


def test_a_comparison_of_a_figure_without_name_is_no_crash():
    assert wording.inside("") == ""


def test_a_sentence_with_a_strangers_name_commands_no_terminal(run):
    name = "\x1b[31m\u202ea/b\x07"
    changed(run.info, lambda info: info["tasks"].update({name: "finished"}))
    line = one_sentence(call("compare", run))
    assert "is no name of a file in it" in line
    assert line.isprintable()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("key", ["logo", "pseudonym_key"])
def test_nobody_waits_for_a_pipe_that_a_run_names(run, key):
    os.mkfifo(run.root / "pipe")
    changed(run.info, lambda info: info["configuration"].update(report={key: "pipe", "pseudonyms": True}))
    done = call("report", run, "--format", "json")
    assert "is no regular file" in done.stderr
    assert done.exit_code == (0 if key == "logo" else 2)


def test_a_table_that_is_none_is_told_where_pseudonyms_are_made(run):
    run.manifest.write_bytes(run.manifest.read_bytes() + b"\0")
    assert "holds a NUL" in one_sentence(call("report", run, "--format", "json", "--pseudonyms"))
