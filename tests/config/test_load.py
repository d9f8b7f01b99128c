import re

import pytest

from cxrkit import config
from cxrkit.config.schema import Configuration
from cxrkit.errors import InputError

WHOLE = """
[run]
output = "runs/pneumonia"
seed = 0
device = "auto"

[data]
root = "data/chest_xray"
positive = "PNEUMONIA"
image_size = 224
groups = "kermany"
validation = { from = "train", fraction = 0.1 }
external = { hospital_b = "data/hospital_b" }

[augmentation]
random_resized_crop = { scale = [0.7, 1.0] }
horizontal_flip = 0.5
rotation = 10

[defaults]
epochs = 20
batch_size = 32

[[task]]
name = "scratch"
model = "resnet18"
trainer = { use = "fabric", learning_rate = 1e-3 }

[[task]]
name = "transfer"
model = { use = "resnet18-pretrained", freeze = "layer2" }
imbalance = "class-weights"
trainer = { use = "fabric", learning_rate = 1e-4, scheduler = "cosine" }
seeds = [0, 1, 2]
represent = "ensemble"

[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
columns = { image = "sop_uid", p_PNEUMONIA = "score" }
threshold = { rule = "fixed", value = 0.35 }

[threshold]
rule = "youden"

[evaluation]
level = 0.95
resamples = 2000
primary = "roc_auc"
reference = "scratch"
prevalence = 0.10
subgroups = ["pathogen"]
acceptance = { sensitivity = 0.95, specificity = 0.8 }
non_inferiority = { roc_auc = 0.02 }

[[ensemble]]
name = "both"
members = ["scratch", "transfer"]
method = "validation-weighted"

[explain]
method = "GradCAM"
most = 10

[robustness]
tasks = ["transfer"]
corruptions = ["noise", "rotation"]
severities = [2]
most = 100

[report]
formats = ["html", "pdf", "txt"]
title = "Pneumonia"
authors = ["A. Student"]
institution = "A hospital"
logo = "logo.png"
intended_use = "Second reading of children's radiographs"
templates = "house"
pseudonyms = true
pseudonym_key = "shared.key"
sections = ["cohort-note", { use = "letter", file = "letter.txt" }]
"""


def test_every_table_of_the_file_is_read(load):
    configuration = load(WHOLE)
    scratch, transfer, vendor = configuration.task
    assert (scratch.epochs, scratch.trainer.options) == (20, {"learning_rate": 1e-3})
    assert (transfer.model.use, transfer.model.options) == ("resnet18-pretrained", {"freeze": "layer2"})
    assert transfer.seeds == (0, 1, 2)
    assert vendor.threshold.value == 0.35
    assert configuration.augmentation.random_resized_crop.scale == (0.7, 1.0)
    assert configuration.data.validation.fraction == 0.1
    assert configuration.data.groups.rule == "kermany"
    assert configuration.ensemble[0].members == ("scratch", "transfer")
    assert configuration.evaluation.acceptance == {"sensitivity": 0.95, "specificity": 0.8}
    assert configuration.robustness.severities == (2,)
    assert (configuration.report.logo, configuration.report.templates) == ("logo.png", "house")
    assert configuration.report.intended_use == "Second reading of children's radiographs"
    assert [(one.use, one.options) for one in configuration.report.sections] == [
        ("cohort-note", {}),
        ("letter", {"file": "letter.txt"}),
    ]


def test_a_configuration_survives_its_own_json(load):
    configuration = load(WHOLE)
    assert Configuration.model_validate(configuration.model_dump(mode="json")) == configuration


def test_a_small_file_gets_defaults(load, small):
    configuration = load(small)
    assert configuration.data.groups is None
    assert configuration.task[0].trainer.use == "fabric"
    assert configuration.threshold.rule == "youden"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[run\n", r'tasks\.toml: line 1, column 5: is no TOML, expected "\]"|tasks\.toml: line 1, column 5: is no'),
        (b"[run]\nseed = \n", r"tasks\.toml: line 2, column 8: is no TOML, invalid value"),
        (b'root = "C:\\data"', r"line 1, column \d+: is no TOML, .*; write paths with / or in single quotes"),
        (b'root = "C:\\Users\\me"', r"line 1, column \d+: is no TOML, .*; write paths with / or in single quotes"),
        (b"seed = [1,", r"tasks\.toml: line 1, .*: is no TOML, "),
        (b"[run]\nseed = 1\nseed = 2\n", r"line 3, column 9: is no TOML, cannot overwrite a value"),
        (b"[run]\n# \xff\n", r"tasks\.toml: line 2: is not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(tmp_path, content, message):
    path = tmp_path / "tasks.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        config.load(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path, small):
    path = tmp_path / "tasks.toml"
    path.write_bytes(b"\xef\xbb\xbf" + small.encode())
    assert config.load(path).task[0].name == "scratch"


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match=re.escape("none.toml: no such file, cxrkit init writes one")):
        config.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"is a folder|cannot be read"):
        config.load(tmp_path)


def test_an_empty_file_says_what_it_needs(problems):
    assert problems("") == ["tasks.toml: task: is missing, write each task under [[task]]"]


def test_a_task_that_is_asked_for_must_exist_and_the_others_are_kept(load, problems):
    assert len(load(WHOLE, only=["transfer"]).task) == len(load(WHOLE).task)
    assert problems(WHOLE, only=["transfr"]) == ['--task transfr: unknown task "transfr", did you mean "transfer"?']


def test_the_whole_file_is_checked_although_one_task_is_asked_for(problems):
    text = WHOLE.replace("value = 0.35", 'value = "high"')
    told = 'tasks.toml: task "vendor": threshold.value: must be a number, got "high"'
    assert problems(text, only=["scratch"]) == [told]
