"""``cxrkit monitor`` on real files: its exit status, what it prints and writes, and what it refuses."""

import csv
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cxrkit.cli import cli
from cxrkit.evaluation import predictions
from cxrkit.records import Environment, Monitoring, RunInfo, TaskInfo, ThresholdRecord
from cxrkit.rundir import RunDirectory

CLASSES = ("NORMAL", "PNEUMONIA")


def monitor(*arguments):
    return CliRunner().invoke(cli, ["monitor", *map(str, arguments)])


@pytest.fixture
def reference(simulate, written):
    return written(simulate(1), "reference.csv")


@pytest.fixture
def like(simulate, written):
    return written(simulate(2), "like.csv")


@pytest.fixture
def odd(simulate, written):
    return written(simulate(3, shift=2.0), "odd.csv")


def make_run(root, found, *, threshold=0.6, tasks=("a",)):
    run = RunDirectory(root)
    for task in tasks:
        predictions.write(run.task(task).predictions("test"), replace(found, task=task, set="test"))
        TaskInfo(
            task=task,
            kind="trained",
            state="finished",
            class_names=list(CLASSES),
            positive="PNEUMONIA",
            threshold=ThresholdRecord(value=threshold, rule="youden", set="val", n=60),
            sets=["test"],
        ).write(run.task(task).info)
    RunInfo(
        configuration={},
        environment=Environment(cxrkit="0", python="3", platform="x", processor="y", cpu_count=1),
        class_names=list(CLASSES),
        positive="PNEUMONIA",
        tasks=dict.fromkeys(tasks, "finished"),
        started="2026-01-01T00:00:00+00:00",
    ).write(run.info)
    return root


# ── Alarms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_alarm_is_status_0_and_says_so(reference, like):
    done = monitor(reference, like)
    assert (done.exit_code, done.stdout) == (0, "No alarm: no rule has found a change in like.\n")


def test_an_alarm_is_status_3_with_a_sentence_for_each(reference, like, odd):
    done = monitor(reference, like, odd)
    assert done.exit_code == 3
    told = [line for line in done.stdout.splitlines() if line.startswith("ALARM ")]
    assert told
    assert all(line.startswith("ALARM odd: ") and line.endswith(".") for line in told)
    assert done.stdout.splitlines()[-1] == f"{len(told)} alarms in odd."


def test_quiet_says_nothing_where_nothing_has_changed_and_the_alarms_alone_else(reference, like, odd):
    assert monitor(reference, like, "--quiet").output == ""
    assert {line[:10] for line in monitor(reference, odd, "--quiet").output.splitlines()} == {"ALARM odd:"}


def test_json_is_the_document_and_keeps_the_status(reference, odd):
    done = monitor(reference, odd, "--json")
    assert done.exit_code == 3
    assert Monitoring.model_validate_json(done.stdout).alarms


def test_the_latest_period_alone_decides_where_asked(reference, like, odd):
    assert monitor(reference, odd, like, "--latest").exit_code == 0
    assert monitor(reference, like, odd, "--latest").exit_code == 3


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_document_table_and_page_say_the_same_and_no_path(reference, odd, tmp_path):
    output = tmp_path / "out"
    done = monitor(reference, odd, "--output", output, "--format", "html", "--format", "txt")
    assert done.stdout.splitlines()[-1] == str(output / "monitoring.html")
    found = Monitoring.read(output / "monitoring.json")
    with (output / "monitoring.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["period"], row["figure"]) for row in rows] == [(one.period, one.figure) for one in found.records]
    assert {row["alarm"] for row in rows} == {"yes", "no"}
    page, text = ((output / f"monitoring.{kind}").read_text(encoding="utf-8") for kind in ("html", "txt"))
    for alarm in found.alarms:
        assert alarm.sentence.replace("<", "&lt;") in page
        assert alarm.sentence[:60] in " ".join(text.split())
    assert "Monitoring report" in page
    assert page.count('role="img"') == 3
    assert str(tmp_path) not in page + text + (output / "monitoring.json").read_text(encoding="utf-8")


def test_the_same_call_gives_the_same_figures(reference, odd, tmp_path):
    for name in ("a", "b"):
        monitor(reference, odd, "--output", tmp_path / name, "--format", "txt")
    first, second = ((tmp_path / name / "monitoring.csv").read_bytes() for name in ("a", "b"))
    assert first == second


def test_names_that_a_spreadsheet_would_carry_out_are_made_harmless(reference, simulate, written, tmp_path):
    new = written(simulate(2), "=1+1.csv")
    monitor(reference, new, "--output", tmp_path / "out", "--format", "txt")
    assert "\r\n'=1+1," in (tmp_path / "out" / "monitoring.csv").read_bytes().decode()


# ── References ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_gives_its_task_set_and_threshold(simulate, like, tmp_path):
    run = make_run(tmp_path / "run", simulate(1))
    found = Monitoring.model_validate_json(monitor(run, like, "--json").stdout)
    assert (found.task, found.reference_set, found.threshold.value) == ("a", "test", 0.6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "has several tasks, choose one of a, b with --task"),
        (("--task", "c"), 'has no finished task "c", allowed are a, b'),
        (("--task", "a", "--reference-set", "tset"), 'has no predictions on "tset", did you mean "test"?'),
        (("--task", "a", "--positive", "NORMAL"), "--positive: is for prediction files"),
    ],
)
def test_what_a_run_lacks_is_said(options, sentence, simulate, like, tmp_path):
    run = make_run(tmp_path / "run", simulate(1), tasks=("a", "b"))
    done = monitor(run, like, *options)
    assert done.exit_code == 2
    assert sentence in done.stderr


def predicted(folder, found, *, threshold=0.6):
    """Write what ``cxrkit predict`` writes, which knows neither patients nor labels."""
    folder.mkdir()
    lines = ["image,sha256,status,probability,raw_probability,decision"]
    for image, status, p in zip(found.images.tolist(), found.status.tolist(), found.score.tolist(), strict=True):
        figures = f"{p!r},{p!r},{CLASSES[int(p >= threshold)]}" if status == "ok" else ",,"
        lines.append(f"{image},00,{status},{figures}")
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "predictions.csv"


def test_tables_of_predict_are_periods_named_as_their_folders(simulate, tmp_path):
    run = make_run(tmp_path / "run", simulate(1, per_patient=1))
    days = [predicted(tmp_path / f"2026-03-0{k}", simulate(k, per_patient=1)) for k in (4, 5)]
    found = Monitoring.model_validate_json(monitor(run, *days, "--json").stdout)
    assert [one.name for one in found.periods] == ["2026-03-04", "2026-03-05"]
    assert {one.figure for one in found.records} >= {"alert_rate", "psi", "estimated_roc_auc", "adjusted_prevalence"}


def test_other_decisions_than_those_of_the_reference_are_noted(simulate, tmp_path):
    run = make_run(tmp_path / "run", simulate(1, per_patient=1), threshold=0.6)
    table = predicted(tmp_path / "day", simulate(4, per_patient=1), threshold=0.3)
    assert "decisions in it are not those of the reference's threshold of 0.600" in monitor(run, table).stderr


def test_a_growing_table_of_predict_is_divided_by_number(simulate, tmp_path):
    run = make_run(tmp_path / "run", simulate(1, per_patient=1))
    table = predicted(tmp_path / "watched", simulate(4, n=250, per_patient=1, failed=3))
    found = Monitoring.model_validate_json(monitor(run, table, "--every", 100, "--json").stdout)
    assert [(one.n, one.without_result) for one in found.periods] == [(100, 0), (100, 0), (50, 3)]


def test_one_of_several_models_of_a_predict_table_is_chosen(simulate, tmp_path):
    run = make_run(tmp_path / "run", simulate(1, per_patient=1))
    table = predicted(tmp_path / "day", simulate(4, per_patient=1))
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    head = head.replace("raw_probability", "raw_probability_a").replace(",probability", ",raw_probability_b")
    table.write_text("\n".join([head.replace("decision", "decision_a"), *rows]) + "\n", encoding="utf-8")
    assert monitor(run, table, "--task", "a").exit_code == 0
    reference = predicted(tmp_path / "then", simulate(1, per_patient=1))
    refused = monitor(reference, table, "--positive", "PNEUMONIA")
    assert refused.exit_code == 2
    assert "has several models, choose one of b, a with --task" in refused.stderr


def test_a_predict_table_alone_needs_its_positive_class(simulate, tmp_path):
    table = predicted(tmp_path / "day", simulate(4, per_patient=1))
    done = monitor(table, table)
    assert done.exit_code == 2
    assert "the positive class is not told" in done.stderr
    assert monitor(table, table, "--positive", "PNEUMONIA").exit_code == 0


# ── Periods and labels ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("span", "names"),
    [
        ("day", ["2026-03-30", "2026-03-31", "2026-04-01"]),
        ("week", ["week of 2026-03-30"]),
        ("month", ["2026-03", "2026-04"]),
    ],
)
def test_dates_divide_the_images(span, names, reference, simulate, written):
    dates = [["2026-03-31", "20260330", "2026-04-01T23:59:59+05:00"][row % 3] for row in range(300)]
    new = written(simulate(2), "all.csv", dates=dates)
    done = monitor(reference, new, "--date-column", "acquired", "--period", span, "--json")
    found = Monitoring.model_validate_json(done.stdout)
    assert [one.name for one in found.periods] == names
    assert sum(one.n for one in found.periods) == 300


def test_unreadable_dates_are_named_by_row(reference, simulate, written):
    dates = ["2026-03-31"] * 298 + ["31.3.2026", ""]
    done = monitor(
        reference, written(simulate(2), "all.csv", dates=dates), "--date-column", "acquired", "--period", "day"
    )
    assert done.exit_code == 2
    assert 'all.csv: row 300, column acquired: "31.3.2026" is no date, ISO 8601 is needed' in done.stderr
    assert "row 301, column acquired: is empty" in done.stderr


def test_labels_that_came_later_are_joined(reference, simulate, written, tmp_path):
    new = simulate(2)
    unlabelled = written(replace(new, labels=np.full(300, -1)), "new.csv")
    labels = tmp_path / "labels.csv"
    rows = [f"{image},{CLASSES[label]}" for image, label in zip(new.images[:200], new.labels[:200], strict=True)]
    labels.write_text("\n".join(["image,label", *rows, "elsewhere.png,NORMAL"]) + "\n", encoding="utf-8")
    found = Monitoring.model_validate_json(monitor(reference, unlabelled, "--labels", labels, "--json").stdout)
    assert found.periods[0].labelled == 200
    assert found.periods[0].positives == int((new.labels[:200] == 1).sum())


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["new2/00000.png,FRACTURE"], 'unknown label "FRACTURE"'),
        (["other.png,NORMAL"], "has a label of none of the images"),
    ],
)
def test_labels_that_fit_nothing_are_refused(rows, sentence, reference, simulate, written, tmp_path):
    new = written(replace(simulate(2), labels=np.full(300, -1)), "new.csv")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["image,label", *rows]) + "\n", encoding="utf-8")
    done = monitor(reference, new, "--labels", labels)
    assert done.exit_code == 2
    assert sentence in done.stderr


# ── Images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pictures(folder, found, brightness):
    rng = np.random.default_rng(8)
    for name in found.images.tolist():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(brightness, brightness + 100, (16, 16)).astype(np.uint8)).save(path)
    return folder


def test_brighter_images_are_an_alarm_and_the_references_statistics_are_used_again(simulate, written, tmp_path):
    then, now = simulate(1, n=60), simulate(2, n=60)
    reference, new = written(then, "reference.csv"), written(now, "new.csv")
    before, after = pictures(tmp_path / "then", then, 60), pictures(tmp_path / "now", now, 120)
    output = ("--output", tmp_path / "out", "--format", "txt")
    done = monitor(reference, new, "--images", after, "--reference-images", before, *output)
    assert done.exit_code == 3
    assert "ALARM new: images are brighter than in the reference: median of mean grey value" in done.stdout
    statistics = tmp_path / "out" / "reference_statistics.csv"
    again = monitor(reference, new, "--images", after, "--reference-statistics", statistics)
    assert [line for line in again.stdout.splitlines() if "ALARM" in line] == [
        line for line in done.stdout.splitlines() if "ALARM" in line
    ]
    assert "IMAGES THEN AND NOW" in (tmp_path / "out" / "monitoring.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_that_leads_in_a_circle_is_an_image_that_cannot_be_measured(simulate, written, tmp_path):
    then, now = simulate(1, n=60), simulate(2, n=60)
    folder = pictures(pictures(tmp_path / "all", then, 60), now, 60)
    circle = folder / now.images[0]
    circle.unlink()
    circle.symlink_to(circle.name)
    images = ("--images", folder, "--reference-images", folder, "--output", tmp_path / "out", "--format", "txt")
    done = monitor(written(then, "reference.csv"), written(now, "new.csv"), *images)
    assert done.exit_code in {0, 3}, done.output
    told = " ".join((tmp_path / "out" / "monitoring.txt").read_text(encoding="utf-8").split())
    assert "1 of 60 images could not be measured" in told


def test_folders_without_the_images_are_refused(reference, like, tmp_path):
    (tmp_path / "empty").mkdir()
    done = monitor(reference, like, "--images", tmp_path / "empty", "--reference-images", tmp_path / "empty")
    assert done.exit_code == 2
    assert "none of the reference's images can be read there" in done.stderr


# ── Refused ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_columns_that_are_missing_are_named(reference, simulate, written):
    done = monitor(reference, written(simulate(2), "new.csv", without=["p_PNEUMONIA"]))
    assert done.exit_code == 2
    assert 'new.csv: column "p_PNEUMONIA" is missing' in done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image,p_PNEUMONIA\n", "new.csv: has no rows"),
        ("image,p_PNEUMONIA\na,nan\n", 'row 2, column p_PNEUMONIA: "nan" is no finite number'),
        ("image,p_PNEUMONIA\na,1.5\n", "row 2, column p_PNEUMONIA: 1.5 is no probability"),
        ("image,p_PNEUMONIA\na,0.5\na,0.6\n", 'row 3, column image: "a" stands in row 2 already'),
        ("image,p_NORMAL,p_TB,p_PNEUMONIA\na,0.2,0.3,0.5\n", "predictions of the same model are needed"),
        ("image,score\na,3\n", "new.csv: gives a score, the reference a probability"),
        ("image,label,p_PNEUMONIA\na,FRACTURE,0.5\n", 'unknown label "FRACTURE"'),
    ],
)
def test_files_that_are_no_predictions_of_the_model_are_refused(text, sentence, reference, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(text, encoding="utf-8")
    done = monitor(reference, path, "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--period", "day"), "--period: needs dates"),
        (("--date-column", "acquired"), "--date-column: divides nothing by itself"),
        (("--date-column", "date", "--period", "day"), 'column "date" is missing'),
        (("--every", "1", "--date-column", "acquired", "--period", "day"), "--every: is another way to divide"),
        (("--join", "study"), "--join: means nothing without --labels"),
        (("--reference-images", "x"), "mean nothing without --images"),
        (("--psi", "nan"), "--psi: nan is no finite number"),
        (("--threshold", "1.5"), "--threshold: 1.5 is no probability"),
        (("--column", "imgae=name"), 'unknown column, did you mean "image"?'),
        (("--reference-set", "val"), "--reference-set: is for run directories"),
        (("--output", __file__), "is a file"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, sentence, reference, like):
    done = monitor(reference, like, *options)
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_a_file_given_twice_and_an_image_in_two_files_are_refused(reference, like, simulate, written):
    assert "is given twice" in monitor(reference, like, like).stderr
    other = written(simulate(2), "other.csv")
    assert "an image counts once" in monitor(reference, like, other, "--every", 100).stderr


def test_the_document_is_json_with_its_version(reference, like):
    assert json.loads(monitor(reference, like, "--json").stdout)["schema_version"] == 1


def test_new_labels_name_the_class_that_a_reference_without_labels_cannot(tmp_path, like, reference):
    bare = tmp_path / "bare.csv"
    rows = list(csv.DictReader(reference.read_text().splitlines()))
    with bare.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "p_PNEUMONIA"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    named = monitor(bare, like)
    assert named.exit_code in (0, 3), named.output
    of_both = tmp_path / "both.csv"
    of_both.write_text(like.read_text().replace("NORMAL", "HEALTHY", 1))
    refused = monitor(bare, of_both)
    assert refused.exit_code == 2
    assert "HEALTHY" in refused.output


def test_a_column_of_another_name_is_told_with_the_option_that_names_it(tmp_path, like):
    other = tmp_path / "other.csv"
    other.write_text("image,probability\na.png,0.5\n")
    found = monitor(other, like, "--positive", "PNEUMONIA")
    assert found.exit_code == 2
    assert "Error: --column: says what a file calls a column, as image=sop_uid" in found.output
    assert "--column:" not in monitor(tmp_path / "none.csv", like).output
