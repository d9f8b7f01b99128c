"""``cxrkit report`` and ``cxrkit compare`` as users call them."""

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.records import TaskInfo


def call(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def predictions_file(path, *, skill=2.0, n=60, positive="PNEUMONIA", seed=0):
    rng = np.random.default_rng(seed)
    lines = [f"image,label,p_{positive}"]
    for number in range(n):
        sick = number % 2
        score = 1 / (1 + np.exp(-rng.normal(skill * (2 * sick - 1), 2)))
        lines.append(f"image-{number},{positive if sick else 'NORMAL'},{score:.4f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_report_of_a_run_goes_into_the_run(make_run):
    run = make_run(cams=False)
    done = call("report", run.root, "--format", "html", "--format", "txt")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        str(run.report / "report.html"),
        str(run.report / "comparison_report.txt"),
    ]


def test_a_run_that_was_not_evaluated_is_evaluated_first(make_run, tmp_path):
    done = call("report", predictions_file(tmp_path / "one.csv"), "--output", tmp_path / "out", "--format", "txt")
    assert done.exit_code == 0, done.output
    run = tmp_path / "out" / "run"
    (run / "tasks" / "one" / "metrics.json").unlink()
    again = call("report", run, "--format", "txt", "--output", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert (run / "tasks" / "one" / "metrics.json").is_file()


def test_report_of_prediction_files_uses_the_conventional_threshold(tmp_path):
    files = [predictions_file(tmp_path / f"{name}.csv", seed=seed) for seed, name in enumerate(("ours", "theirs"))]
    done = call("report", *files, "--output", tmp_path / "out", "--format", "txt")
    assert done.exit_code == 0, done.output
    text = " ".join((tmp_path / "out" / "comparison_report.txt").read_text(encoding="utf-8").split())
    assert "the conventional 0.5, not chosen on data" in text
    assert "ours and theirs" in text


def test_report_of_prediction_files_takes_a_threshold_and_a_positive_class(tmp_path):
    file = predictions_file(tmp_path / "one.csv", positive="TB")
    options = ("--threshold", "0.35", "--positive", "TB", "--output", tmp_path / "out", "--format", "txt")
    done = call("report", file, *options)
    assert done.exit_code == 0, done.output
    threshold = TaskInfo.read(tmp_path / "out" / "run" / "tasks" / "one" / "task.json").threshold
    assert (threshold.value, threshold.rule) == (0.35, "fixed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: does not exist, a run directory or a CSV of predictions is needed"),
        (["empty"], "empty: no run directory, one holds a run.json"),
        (["good.csv", "empty"], "good.csv: is a file beside run directories"),
        (["bad.csv"], 'column "image" is missing'),
        (["good.csv", "--threshold", "1.5"], "1.5 is not in the range 0<=x<=1"),
        (["two words.csv"], "the file's name becomes the model's name"),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    predictions_file(tmp_path / "good.csv")
    predictions_file(tmp_path / "two words.csv")
    (tmp_path / "bad.csv").write_text("picture,label,p_PNEUMONIA\na,NORMAL,0.1\n", encoding="utf-8")
    done = call("report", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cxrkit-report").exists()


def test_options_of_prediction_files_are_refused_for_runs(finished_run):
    done = call("report", finished_run.root, "--threshold", "0.4")
    assert done.exit_code == 2
    assert "--threshold: is for prediction files" in done.stderr


def test_compare_prints_a_table_and_writes_the_text(finished_run, tmp_path):
    done = call("compare", finished_run.root, "--output", tmp_path / "comparison.txt")
    assert done.exit_code == 0, done.output
    assert "Sensitivity" in done.stdout
    assert "transfer" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "comparison.txt")
    assert "SIDE BY SIDE" in (tmp_path / "comparison.txt").read_text(encoding="utf-8")


def test_the_same_run_twice_is_refused(finished_run, tmp_path):
    done = call("compare", finished_run.root, finished_run.root, "--output", tmp_path / "x.txt")
    assert done.exit_code == 2
    assert "is given twice" in done.stderr


NO_PANGO = """
    print("WeasyPrint could not import some external libraries.")
    raise OSError("cannot load library 'libpango-1.0-0': error 0x7e")
"""


@pytest.fixture
def without_pango(tmp_path):
    """An environment in which importing WeasyPrint fails as it does without Pango."""
    (tmp_path / "site" / "weasyprint").mkdir(parents=True)
    (tmp_path / "site" / "weasyprint" / "__init__.py").write_text(dedent(NO_PANGO), encoding="utf-8")
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.fixture
def without_fonts(tmp_path):
    """An environment in which no font is installed, where Pango crashes the process that lays out text."""
    (tmp_path / "fonts.conf").write_text(f"<fontconfig><dir>{tmp_path}</dir></fontconfig>", encoding="utf-8")
    return {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}


def report_in(environment, *arguments):
    command = [sys.executable, "-m", "cxrkit", "report", *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_without_pango_the_html_stays_and_a_warning_names_the_packages(finished_run, tmp_path, without_pango):
    done = report_in(without_pango, finished_run.root, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(tmp_path / "out" / "report.html"),
        str(tmp_path / "out" / "comparison_report.txt"),
    ]
    assert "Warning: report.pdf: Pango, HarfBuzz-Subset or fonts cannot be used (cannot load library" in done.stderr
    assert "libharfbuzz-subset0" in done.stderr
    assert not (tmp_path / "out" / "report.pdf").exists()


def test_without_fonts_the_html_stays_and_nothing_crashes(finished_run, tmp_path, without_fonts):
    done = report_in(
        without_fonts, finished_run.root, "--output", tmp_path / "out", "--format", "html", "--format", "pdf"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "out" / "report.html")]
    assert "fonts-dejavu-core" in done.stderr


def test_without_pango_a_pdf_alone_is_status_1(finished_run, tmp_path, without_pango):
    done = report_in(without_pango, finished_run.root, "--output", tmp_path / "out", "--format", "pdf")
    assert done.returncode == 1
    assert "libpango-1.0-0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["report", "compare"])
def test_torch_is_never_imported(finished_run, tmp_path, command):
    script = """
        import sys
        from cxrkit.cli import cli
        try:
            cli.main(sys.argv[1:], standalone_mode=False)
        finally:
            print("torch" in sys.modules)
    """
    output = ["--output", str(tmp_path / "out"), "--format", "html"][: 4 if command == "report" else 2]
    arguments = [sys.executable, "-c", dedent(script), command, str(finished_run.root), *output]
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_three_classes_and_images_without_a_result_are_reported(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["image,label,p_NORMAL,p_TB,p_PNEUMONIA,status"]
    for number in range(90):
        logits = rng.normal(0, 1, 3) + 1.5 * np.eye(3)[number % 3]
        shares = ",".join(f"{share!r}" for share in (np.exp(logits) / np.exp(logits).sum()).tolist())
        cells = ",,,timeout" if number == 7 else f"{shares},ok"
        lines.append(f"image-{number},{('NORMAL', 'TB', 'PNEUMONIA')[number % 3]},{cells}")
    (tmp_path / "three.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = call("report", tmp_path / "three.csv", "--output", tmp_path / "out", "--format", "html", "--format", "txt")
    assert done.exit_code == 0, done.output
    text = " ".join((tmp_path / "out" / "comparison_report.txt").read_text(encoding="utf-8").split())
    assert "three gave no result for 1 image" in text
    assert "Accuracy (complete cases)" in text
    assert "Taken for another class by three" in text
