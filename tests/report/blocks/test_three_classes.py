"""Models of more than two classes: each class against the rest, and the mean over the classes."""

import numpy as np
import pytest
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.records import Metrics, Record
from cxrkit.report import write
from cxrkit.rundir import RunDirectory

CLASSES = ("NORMAL", "TB", "PNEUMONIA")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    rng = np.random.default_rng(0)
    lines = ["image,label," + ",".join(f"p_{name}" for name in CLASSES)]
    for number in range(90):
        logits = rng.normal(0, 1, 3) + 1.5 * np.eye(3)[number % 3]
        shares = np.exp(logits) / np.exp(logits).sum()
        lines.append(f"image-{number},{CLASSES[number % 3]}," + ",".join(map(repr, shares.tolist())))
    (folder / "three.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["report", str(folder / "three.csv"), "--output", str(folder / "out"), "--format", "txt"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    made = RunDirectory(folder / "out" / "run")
    add_figures(made)
    return made


def add_figures(run):
    path = run.task("three").metrics
    metrics = Metrics.read(path)
    known = {"set": "test", "level": 0.95, "n": 90, "n_patients": 90, "low": 0.7, "high": 0.95}
    of_classes = [
        Record(metric=metric, value=value + place / 100, **{"class": name}, **known)
        for place, name in enumerate(CLASSES)
        for metric, value in (("roc_auc", 0.871), ("specificity", 0.822), ("average_precision", 0.791))
    ]
    means = [Record(metric=f"{name}_macro", value=0.841, **known) for name in ("roc_auc", "average_precision", "f1")]
    kept = [
        one for one in metrics.records if one.class_name is None or one.metric in {"precision", "recall", "support"}
    ]
    kept = [one for one in kept if not one.metric.endswith("_macro")]
    metrics.model_copy(update={"records": [*of_classes, *means, *kept]}).write(path)


def test_each_class_is_set_against_the_rest_with_the_mean_below(run, tmp_path, page_of):
    write([run], tmp_path, ("html",), strict_pdf=False)
    page = page_of(tmp_path / "report.html")
    rows = [[cell.strip().removeprefix("●") for cell in row] for row in page.rows if len(row) == 9]
    head = next(row for row in rows if row[0] == "Model")
    assert head[6:] == ["Specificity", "AUC", "Average precision"]
    normal = next(row for row in rows if row[1] == "NORMAL")
    assert normal[6].startswith("82.2%")
    assert normal[7].startswith("0.871")
    mean = next(row for row in rows if row[1] == "mean of the classes")
    assert mean[4].startswith("84.1%")
    assert mean[7].startswith("0.841")
    assert mean[2] == mean[6] == ""
    assert "each class against all others together" in page.text


def test_the_main_table_has_the_means_over_the_classes(run, tmp_path, page_of):
    write([run], tmp_path, ("html",), strict_pdf=False)
    page = page_of(tmp_path / "report.html")
    labels = [row[0].strip() for row in page.rows if len(row) == 2]
    assert "AUC, mean of the classes" in labels
    assert "F1, mean of the classes" in labels
