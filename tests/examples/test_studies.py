"""The example studies, run by the real command as their README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxrkit.data import phantom

EXAMPLES = Path(__file__).parents[2] / "examples"
REAL = os.environ.get("CXRKIT_TEST_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="CXRKIT_TEST_DATA names no folder with chest_xray/")
STUDY = ("scratch", "transfer", "class-weights", "upsample", "downsample", "balanced-sampler")


def cxrkit(*arguments):
    command = [sys.executable, "-m", "cxrkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def dry_run(data):
    """The course's study without its trainings; no weights, as nothing is fetched."""
    tasks = EXAMPLES / "pneumonia" / "tasks.toml"
    sets = [f'data.root="{data.as_posix()}"', 'task.transfer.model.weights="none"']
    result = cxrkit("run", tasks, "--dry-run", "--json", *(part for text in sets for part in ("--set", text)))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_vendors_are_compared_from_their_files(tmp_path):
    result = cxrkit("run", EXAMPLES / "vendor_predictions" / "tasks.toml", "--output", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    comparison = json.loads((tmp_path / "run" / "comparison.json").read_text(encoding="utf-8"))
    auc = next(record for record in comparison["records"] if record["metric"] == "roc_auc")
    assert (auc["task"], auc["reference"], auc["n"], auc["n_patients"]) == ("vendor-b", "vendor-a", 410, 260)
    assert auc["high"] < 0
    decisions = next(record for record in comparison["records"] if record["task"] == "vendor-c")
    assert (decisions["metric"], decisions["n"]) == ("sensitivity", 171)  # images that show PNEUMONIA
    assert any('"vendor-c" gives decisions alone' in sentence for sentence in comparison["refused"])
    for name in ("report.html", "report.pdf", "comparison_report.txt"):
        assert (tmp_path / "run" / "report" / name).stat().st_size > 0


def test_the_courses_study_plans_its_two_tasks_and_every_strategy(tmp_path):
    phantom.write(tmp_path / "data", images=80, size=64)
    plan = dry_run(tmp_path / "data")
    tasks = {task["name"]: task for task in plan["configuration"]["task"]}
    assert tuple(tasks) == STUDY
    assert {(task["epochs"], task["batch_size"]) for task in tasks.values()} == {(20, 32)}
    rates = {name: task["trainer"]["learning_rate"] for name, task in tasks.items()}
    assert rates == dict.fromkeys(STUDY, 1e-3) | {"transfer": 1e-4}
    assert tasks["transfer"]["model"]["freeze"] == "layer2"


@needs_real_data
@pytest.mark.real_data
def test_the_courses_study_reads_the_real_images_without_a_shared_patient():
    plan = dry_run(Path(REAL) / "chest_xray")
    counts = plan["data"]["counts"]
    assert plan["data"]["found"] == 5232
    assert counts["test"] == {"NORMAL": 145, "PNEUMONIA": 517}
    assert {name: counts["train"][name] + counts["val"][name] for name in counts["train"]} == {
        "NORMAL": 1196,
        "PNEUMONIA": 3358,
    }
    prevalence = {name: counts[name]["PNEUMONIA"] / sum(counts[name].values()) for name in ("train", "val")}
    assert prevalence["val"] == pytest.approx(prevalence["train"], abs=0.02)
