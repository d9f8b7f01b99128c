"""``[report]`` templates, logo and sections in a run: used, recorded, watched, found again, missed without harm."""

import json
import shutil

import pytest
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.records import RunInfo

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><rect width="80" height="20"/></svg>'
FOOTER = """{% extends "cxrkit/report.html.j2" %}
{% block section %}
{% for block in section.blocks if block | kind == "text" %}
<p>{{ block.text }}</p>
{% endfor %}
{% endblock %}
{% block footer %}<footer>Ours, edition 1</footer>{% endblock %}
"""  # without figures, which take their time
TASKS = """
[run]
output = "runs/study"
[data]
positive = "PNEUMONIA"
[[task]]
name = "ours"
predictions = { test = "ours.csv" }
threshold = { rule = "fixed", value = 0.5 }
[evaluation]
resamples = 100
[report]
formats = ["html"]
institution = "Ashford"
templates = "house"
logo = "logo.svg"
sections = [{ use = "letter", file = "letter.txt" }]
"""
LETTER = """
    from pathlib import Path

    import cxrkit
    from cxrkit.api import ReportedStudy, ReportSection


    def letter(study: ReportedStudy, *, file: Path, loud: bool = False) -> ReportSection:
        \"\"\"Show a letter.\"\"\"
        return ReportSection("A letter", (file.read_text(encoding="utf-8"),))


    @cxrkit.hookimpl
    def cxrkit_register_report_sections():
        return {"letter": letter}
"""


@pytest.fixture
def project(tmp_path, install):
    """A folder with a tasks.toml, predictions, and everything of the author's own."""
    install("acme-letters", LETTER)
    folder = tmp_path / "project"
    (folder / "house").mkdir(parents=True)
    (folder / "house" / "report.html.j2").write_text(FOOTER, encoding="utf-8")
    (folder / "logo.svg").write_text(SVG, encoding="utf-8")
    (folder / "letter.txt").write_text("Dear reader.", encoding="utf-8")
    rows = [f"i{n},{('NORMAL', 'PNEUMONIA')[n % 2]},{0.2 + 0.6 * (n % 2) + 0.01 * (n % 7)}" for n in range(40)]
    rows[3] = "i3,PNEUMONIA,0.1"
    (folder / "ours.csv").write_text("\n".join(["image,label,p_PNEUMONIA", *rows, ""]), encoding="utf-8")
    (folder / "tasks.toml").write_text(TASKS, encoding="utf-8")
    return folder


def call(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_uses_them_and_is_reported_again_only_where_one_changed(project):
    done = call("run", project / "tasks.toml", "--quiet")
    assert done.exit_code == 0, done.output
    report = project / "runs" / "study" / "report"
    assert "<footer>Ours, edition 1</footer>" in page(report)
    assert 'class="logo"' in page(report)
    assert "Dear reader." in page(report)
    before = (report / "report.html").stat().st_mtime_ns
    evaluated = (project / "runs/study/tasks/ours/metrics.json").stat().st_mtime_ns
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    assert (report / "report.html").stat().st_mtime_ns == before
    (project / "house" / "report.html.j2").write_text(FOOTER.replace("edition 1", "edition 2"), encoding="utf-8")
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    assert "<footer>Ours, edition 2</footer>" in page(report)
    assert (project / "runs/study/tasks/ours/metrics.json").stat().st_mtime_ns == evaluated
    before = (report / "report.html").stat().st_mtime_ns
    (project / "logo.svg").write_text(SVG.replace("80", "90"), encoding="utf-8")
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    assert (report / "report.html").stat().st_mtime_ns > before


def test_a_project_that_was_moved_as_a_whole_finds_them_again(project, tmp_path):
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    assert RunInfo.read(project / "runs" / "study" / "run.json").folder == "../.."
    moved = project.rename(tmp_path / "moved")
    done = call("report", moved / "runs" / "study", "--output", tmp_path / "out", "--format", "html")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    for sign in ("<footer>Ours, edition 1</footer>", 'class="logo"', "Dear reader."):
        assert sign in page(tmp_path / "out")


def test_a_run_directory_that_was_moved_alone_still_gives_a_report(project, tmp_path):
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    run = (project / "runs" / "study").rename(tmp_path / "alone")
    done = call("report", run, "--output", tmp_path / "out", "--format", "txt")
    assert done.exit_code == 0, done.output
    first, second, third = done.stderr.splitlines()
    lost = "the report is written without it"
    assert first.startswith(f"Warning: {run / 'run.json'}: report.templates: ")
    assert first.endswith(f"is no folder, one with templates is needed; {lost}, --templates gives another")
    assert second.startswith(f"Warning: {run / 'run.json'}: report.logo: ")
    assert second.endswith(f"; {lost}, --logo gives another")
    assert 'report section "letter" (plugin "extra" of acme-letters 1.2' in third
    assert third.endswith(f"; {lost}")
    assert (tmp_path / "out" / "comparison_report.txt").is_file()
    given = ("--templates", project / "house", "--logo", project / "logo.svg")
    shown = call("report", run, "--output", tmp_path / "out", "--format", "html", *given)
    assert shown.stderr.splitlines() == [third]
    assert "<footer>Ours, edition 1</footer>" in page(tmp_path / "out")
    assert 'class="logo"' in page(tmp_path / "out")


def test_a_recorded_section_that_is_none_is_missed_without_harm(project, tmp_path):
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    file = project / "runs/study/run.json"
    info = json.loads(file.read_text(encoding="utf-8"))
    info["configuration"]["report"]["sections"] = ["letter", {"use": 5}, {"file": "x"}, {"use": ""}]
    file.write_text(json.dumps(info), encoding="utf-8")
    done = call("report", project / "runs" / "study", "--output", tmp_path / "out", "--format", "txt")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        f"Warning: {file}: report.sections{what}; the report is written without it"
        for what in (
            '[0]: must be a table, got "letter"',
            "[1].use: must be text in quotes, got 5",
            "[2].use: is missing",
            '[3].use: must be text of at least 1 character, got ""',
        )
    ]


def test_a_section_whose_plugin_is_gone_is_missed_without_harm(project, tmp_path, strangers):
    assert call("run", project / "tasks.toml", "--quiet").exit_code == 0
    shutil.rmtree(next(strangers.glob("acme_letters*.dist-info")))
    done = call("report", project / "runs" / "study", "--output", tmp_path / "out", "--format", "txt")
    assert done.exit_code == 0, done.output
    place = f"{project / 'runs/study/run.json'}: report.sections[0]"
    what = 'no report section "letter", none is available; the report is written without it'
    assert done.stderr.splitlines() == [f"Warning: {place}: {what}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"house"', '"hous"', "{toml}: report.templates: {project}/hous is no folder, one with templates is needed"),
        (
            '"logo.svg"',
            '"logo.gif"',
            "{toml}: report.logo: {project}/logo.gif cannot be read (No such file or directory)",
        ),
        (
            '"logo.svg"',
            '"ours.csv"',
            "{toml}: report.logo: {project}/ours.csv is no such picture, allowed are PNG, JPEG",
        ),
        (
            'use = "letter"',
            'use = "leter"',
            '{toml}: report.sections[0]: no report section "leter", did you mean "letter"?',
        ),
        ("file =", "fil =", '{toml}: report.sections[0].fil: unknown option, did you mean "file"?'),
        ("file =", "loud = 1, file =", "{toml}: report.sections[0].loud: must be a valid boolean, got 1"),
    ],
)
def test_what_is_wrong_with_them_is_told_before_anything_is_written(project, old, new, problem):
    (project / "tasks.toml").write_text(TASKS.replace(old, new), encoding="utf-8")
    done = call("run", project / "tasks.toml")
    assert done.exit_code == 2
    expected = problem.format(toml=project / "tasks.toml", project=project)
    assert any(expected in line for line in done.stderr.splitlines()), done.stderr
    assert not (project / "runs").exists()


def test_a_template_that_fails_ends_the_command_and_keeps_the_evaluation(project):
    (project / "house" / "report.html.j2").write_text(FOOTER.replace("Ours", "{{ ours }}"), encoding="utf-8")
    done = call("run", project / "tasks.toml", "--quiet")
    assert done.exit_code == 2
    assert f"{project / 'house/report.html.j2'}: line 7: 'ours' is undefined" in done.stderr
    run = project / "runs" / "study"
    assert json.loads((run / "tasks/ours/metrics.json").read_text(encoding="utf-8"))["records"]
    assert not (run / "report").exists()


def test_prediction_files_take_a_logo(project, tmp_path):
    arguments = ("report", project / "ours.csv", "--output", tmp_path / "out", "--format", "html")
    assert call(*arguments, "--logo", project / "logo.svg", "--templates", project / "house").exit_code == 0
    assert 'class="logo"' in page(tmp_path / "out")
    refused = call(*arguments, "--logo", project / "none.png", "--templates", project / "none")
    assert refused.exit_code == 2
    assert "--templates: " in refused.stderr
    assert "--logo: " in refused.stderr


def test_the_plugin_is_listed_with_its_options(project):
    listed = json.loads(call("plugins", "list", "--json").stdout)["components"]
    (letter,) = [one for one in listed if one["kind"] == "report section"]
    assert (letter["name"], letter["distribution"], letter["summary"]) == ("letter", "acme-letters", "Show a letter.")
