import re

import pytest

from cxrkit import config
from cxrkit.config.starter import starter, starter_for_predictions
from cxrkit.errors import InputError


def test_the_starter_loads_and_every_line_of_it_is_explained(load):
    text = starter()
    configuration = load(text)
    assert [task.name for task in configuration.task] == ["scratch", "transfer"]
    assert max(map(len, text.splitlines())) <= 130
    tables = re.findall(r"^\[(\w+)\]", text, re.MULTILINE)
    assert tables == ["run", "data", "augmentation", "defaults", "threshold", "evaluation", "report"]


def test_the_settings_in_comments_load_too(load):
    """What a user gets by taking the "#" away from a setting."""
    setting = re.compile(r"^# (?=(?!manifest)\w+ = |\[)")  # a manifest stands in place of root
    lines = [setting.sub("", line) for line in starter().splitlines()]
    configuration = load("\n".join(lines))
    assert [task.name for task in configuration.task] == ["scratch", "transfer", "vendor"]
    assert configuration.evaluation.prevalence == 0.1
    assert configuration.evaluation.non_inferiority == {"roc_auc": 0.02}
    assert (configuration.tta[0].task, configuration.tta[0].views) == ("transfer", 8)
    assert configuration.ensemble[0].members == ("scratch", "transfer")
    assert configuration.threshold.refer is not None
    assert configuration.robustness is not None


def test_files_of_predictions_become_tasks(written, tmp_path):
    for name in ("vendor A.csv", "Vendor-a.csv", "ünï.csv"):
        (tmp_path / name).write_text("image,label,p_PNEUMONIA\n", encoding="utf-8")
    files = [tmp_path / name for name in ("vendor A.csv", "Vendor-a.csv", "ünï.csv")]
    configuration = config.load(written(starter_for_predictions(files, tmp_path)))
    assert [(task.name, task.predictions["test"]) for task in configuration.task] == [
        ("vendor-A", "vendor A.csv"),
        ("Vendor-a-2", "Vendor-a.csv"),
        ("n", "ünï.csv"),
    ]
    assert configuration.data is None
    assert {task.threshold.rule for task in configuration.task} == {"fixed"}


def test_paths_of_predictions_are_relative_to_the_file(written, tmp_path):
    (tmp_path / "v.csv").write_text("image,label,p_PNEUMONIA\n", encoding="utf-8")
    text = starter_for_predictions([tmp_path / "v.csv"], tmp_path / "sub")
    assert 'predictions = { test = "../v.csv" }' in text


def test_columns_that_are_named_otherwise_are_pointed_out(load, tmp_path):
    (tmp_path / "v.csv").write_text('sop_uid,"the\ntruth",score\na,b,0.5\n', encoding="utf-8")
    text = starter_for_predictions([tmp_path / "v.csv"], tmp_path)
    assert "# This file has the columns sop_uid, the truth, score.\n" in text
    line = '# columns = { image = "…", label = "…", p_PNEUMONIA = "…" }\n'
    assert line in text
    assert load(text.replace(line, line.removeprefix("# "))).task[0].columns.keys() == {"image", "label", "p_PNEUMONIA"}


def test_bare_decisions_are_no_missing_column_and_the_lines_on_labels_load(load, tmp_path):
    (tmp_path / "v.csv").write_text("image,study,label,decision\n", encoding="utf-8")
    text = starter_for_predictions([tmp_path / "v.csv"], tmp_path)
    assert "This file has the columns" not in text
    keys = re.findall(r"^#   ((?:labels|label_columns|join) = .*)$", text, re.MULTILINE)
    assert len(keys) == 3
    task = load(text.replace("threshold = {", "\n".join([*keys, "threshold = {"]), 1)).task[0]
    assert (task.labels, task.label_columns, task.join) == ({"test": "labels.csv"}, {"label": "truth"}, "study")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file, --predictions needs one that exists"), (b"", "has no head"), (b"\xff\xfe\n", "in UTF-8")],
)
def test_a_file_that_cannot_be_predictions_is_refused(tmp_path, content, message):
    file = tmp_path / "v.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=f"v.csv: .*{message}"):
        starter_for_predictions([file], tmp_path)
