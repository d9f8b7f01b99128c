"""``cxrkit report`` and ``cxrkit compare`` as users call them."""

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from cxrkit.cli import cli
from cxrkit.records import Metrics, RunInfo, TaskInfo


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


def test_a_task_of_other_classes_than_its_run_is_told_in_one_sentence(make_run):
    run = make_run(trained=False)
    task = run.task("scratch")
    TaskInfo.read(task.info).model_copy(update={"class_names": ["PNEUMONIA"], "threshold": None}).write(task.info)
    for command in ("compare", "report", "plot"):
        done = CliRunner().invoke(cli, [command, str(run.root)])
        assert done.exit_code == 2
        (told,) = done.stderr.splitlines()
        assert told.startswith(f"Error: {task.info}: its classes are PNEUMONIA and PNEUMONIA is detected, those of the")


def vendors_files(folder):
    """Write predictions under a vendor's names and the labels of their studies; the last study has no prediction."""
    rng = np.random.default_rng(0)
    rows, labels = ["uid,exam,risk,call"], ["exam,truth,who"]
    for study in range(40):
        sick = study % 2
        labels.append(f"S{study},{sick},P{study // 2}")
        for image in range(1 + study % 2 if study < 39 else 0):
            score = rng.normal(3 * sick, 2)
            rows.append(f"S{study}-{image},S{study},{score:.3f},{int(score > 1)}")
    (folder / "vendor.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n", encoding="utf-8")
    columns = ("image=uid", "study=exam")
    of_labels = ("study=exam", "label=truth", "patient=who")
    return [
        *(folder / "vendor.csv", "--positive", "TB", "--join", "study", "--labels", folder / "labels.csv"),
        *(part for text in columns for part in ("--column", text)),
        *(part for text in of_labels for part in ("--label-column", text)),
    ]


@pytest.mark.parametrize(
    ("options", "scale", "threshold"),
    [
        (["--column", "score=risk", "--threshold", "-1.5"], "score", -1.5),
        (["--column", "decision=call", "--prevalence", "0.1"], "decision", 0.5),
    ],
)
def test_scores_and_decisions_with_labels_apart_are_reported(tmp_path, options, scale, threshold):
    given = (*vendors_files(tmp_path), *options, "--output", tmp_path / "out", "--format", "txt")
    done = call("report", *given)
    assert done.exit_code == 0, done.output
    info = TaskInfo.read(tmp_path / "out" / "run" / "tasks" / "vendor" / "task.json")
    assert (info.scale, info.threshold.value, info.threshold.rule) == (scale, threshold, "fixed")
    assert set(info.sources) == {"test", "test labels"}
    configuration = RunInfo.read(tmp_path / "out" / "run" / "run.json").configuration
    assert configuration["task"][0]["labels"] == {"test": "labels.csv"}
    assert configuration["evaluation"]["prevalence"] == (0.1 if scale == "decision" else None)
    metrics = Metrics.read(tmp_path / "out" / "run" / "tasks" / "vendor" / "metrics.json")
    assert metrics.confusion[0].no_result == 1
    assert sum(map(sum, metrics.confusion[0].matrix)) == 58


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--column", "score=risk"],
            "vendor.csv: gives a score, which has no conventional threshold, give --threshold",
        ),
        (
            ["--column", "decision=call", "--threshold", "0.5"],
            "--threshold: means nothing for files that give decisions",
        ),
        (["--column", "decison=call"], '--column: decison: unknown column, did you mean "decision"?'),
        (["--column", "decision"], '--column: "decision" is no NAME=THEIRS, as in image=sop_uid'),
        (["--column", "image=exam"], '--column: "image" is given twice, once is allowed'),
        (["--label-column", "status=x"], "--label-column: status: unknown column, allowed are image, label"),
        (["--column", "decision=call", "--labels", "none.csv"], "none.csv: there is no such file"),
        (["--threshold", "nan"], "--threshold: nan is no finite number"),
    ],
)
def test_wrong_options_of_prediction_files_are_one_sentence_and_status_2(tmp_path, options, message):
    done = call("report", *vendors_files(tmp_path), *options, "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_options_of_labels_mean_nothing_without_a_file_of_them(tmp_path):
    file = predictions_file(tmp_path / "one.csv")
    done = call("report", file, "--join", "study", "--label-column", "label=truth")
    assert done.exit_code == 2
    assert "--label-column: means nothing without --labels" in done.stderr
    assert "--join: means nothing without --labels" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: does not exist, a run directory or a CSV of predictions is needed"),
        (["empty"], "empty: is no run directory, as it holds no run.json\n"),
        (["above"], "above: is no run directory, as it holds no run.json, did you mean above/run?"),
        (["above/run/report.pdf"], "above/run/report.pdf: is no CSV of predictions, did you mean the run directory"),
        (["paper.pdf"], "paper.pdf: is no CSV of predictions, one or a run directory is needed"),
        (["good.csv", "empty"], "good.csv: is a file beside run directories"),
        (["bad.csv"], 'column "image" is missing'),
        (["bad.csv"], "--column: says what a file calls a column, as image=sop_uid\n"),
        (["bad.csv", "good.csv"], "need cxrkit run and a TOML with columns for each task"),
        (["good.csv", "--threshold", "1.5"], "--threshold: 1.5 is no probability, and good.csv gives"),
        (["two words.csv"], "the file's name becomes the model's name"),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "above" / "run").mkdir(parents=True)
    for name in ("above/run/run.json", "above/run/report.pdf", "paper.pdf"):
        (tmp_path / name).touch()
    predictions_file(tmp_path / "good.csv")
    predictions_file(tmp_path / "two words.csv")
    (tmp_path / "bad.csv").write_text("picture,label,p_PNEUMONIA\na,NORMAL,0.1\n", encoding="utf-8")
    done = call("report", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cxrkit-report").exists()


def test_figures_of_a_file_or_of_nothing_are_refused(tmp_path):
    file = predictions_file(tmp_path / "one.csv")
    for path, message in (
        (file, "is a file, a run directory is needed"),
        (tmp_path / "no", "no: does not exist, a run"),
    ):
        done = call("plot", path)
        assert done.exit_code == 2
        assert message in done.stderr


def test_a_run_whose_tasks_were_not_copied_is_incomplete(tmp_path, finished_run):
    (tmp_path / "run.json").write_bytes(finished_run.info.read_bytes())
    done = call("report", tmp_path)
    assert done.exit_code == 2
    assert "task.json: is missing, so the run is incomplete, copy the whole folder" in done.stderr


def test_options_of_prediction_files_are_refused_for_runs(finished_run):
    options = {"threshold": "0.4", "join": "image", "column": "image=x", "label-column": "image=x", "labels": "x.csv"}
    done = call("report", finished_run.root, *(part for name in options for part in (f"--{name}", options[name])))
    assert done.exit_code == 2
    for name in options:
        assert f"--{name}: is for prediction files" in done.stderr


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


NO_HARFBUZZ_SUBSET = """
    import cffi
    real = cffi.FFI.dlopen
    def dlopen(self, name, flags=0):
        if "subset" in str(name):
            raise OSError(f"cannot load library {name!r}")
        return real(self, name, flags)
    cffi.FFI.dlopen = dlopen
"""


@pytest.fixture
def strange_weasyprint(tmp_path):
    """Give an environment in which WeasyPrint is what the source says."""

    def make(source):
        (tmp_path / "site" / "weasyprint").mkdir(parents=True)
        (tmp_path / "site" / "weasyprint" / "__init__.py").write_text(dedent(source), encoding="utf-8")
        return {"PYTHONPATH": str(tmp_path / "site")}

    return make


@pytest.fixture
def without_pango(strange_weasyprint):
    """An environment in which importing WeasyPrint fails as it does without Pango."""
    return strange_weasyprint(NO_PANGO)


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
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("Warning: report.pdf: not written, cannot load library 'libpango-1.0-0'")
    assert "install Pango" in warning
    assert sys.platform != "linux" or "libharfbuzz-subset0" in warning
    assert not (tmp_path / "out" / "report.pdf").exists()


def test_without_fonts_the_html_stays_and_nothing_crashes(finished_run, tmp_path, without_fonts):
    done = report_in(
        without_fonts, finished_run.root, "--output", tmp_path / "out", "--format", "html", "--format", "pdf"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "out" / "report.html")]
    (warning,) = done.stderr.splitlines()
    assert "install fonts" in warning


def test_a_crash_of_the_printing_process_is_a_warning_and_no_half_file_stays(
    finished_run, tmp_path, strange_weasyprint
):
    body = """
        import os
        class HTML:
            def __init__(self, string): pass
            def write_pdf(self, target, **options):
                open(target, "wb").write(b"%PDF-1.7 half")
                os.abort()
    """
    done = report_in(strange_weasyprint(body), finished_run.root, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (warning,) = done.stderr.splitlines()
    assert "WeasyPrint's process ended" in warning
    assert "install Pango" in warning
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["comparison_report.txt", "report.html"]


def test_an_unusable_temporary_folder_costs_the_pdf_alone(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    done = call("report", finished_run.root, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "Warning: report.pdf: not written, no temporary file can be used" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["comparison_report.txt", "report.html"]


@pytest.mark.slow
def test_without_harfbuzz_subset_the_pdf_is_written_by_the_slower_way(finished_run, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(dedent(NO_HARFBUZZ_SUBSET), encoding="utf-8")
    arguments = ("--output", tmp_path / "out", "--format", "pdf")
    done = report_in({"PYTHONPATH": str(tmp_path)}, finished_run.root, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Sensitivity" in "".join(page.extract_text() for page in PdfReader(tmp_path / "out" / "report.pdf").pages)


def test_without_pango_a_pdf_alone_is_status_1(finished_run, tmp_path, without_pango):
    done = report_in(without_pango, finished_run.root, "--output", tmp_path / "out", "--format", "pdf")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: report.pdf: not written, cannot load library 'libpango-1.0-0'")
    assert "install Pango" in done.stderr
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
    assert "complete cases" in text
    assert "Taken for another class by three" in text
