import tomllib

import jsonschema
import pytest

from cxrkit import config
from cxrkit.config.schema import Configuration, TaskTable

FORMS = """
[data]
root = "images"
groups = { regex = "p(\\\\d+)", unmatched = "own" }
validation = "folder"
external = { other = "x" }
[augmentation]
random_resized_crop = false
[defaults]
model = "resnet18"
trainer = { learning_rate = 1e-3 }
[[task]]
name = "a"
represent = 0
[[task]]
name = "vendor"
predictions = { test = "v.csv" }
threshold = { rule = "fixed", value = 0.5 }
[evaluation]
reporters = ["classification", { use = "other", option = 3 }]
"""


@pytest.fixture(scope="module")
def validator():
    schema = config.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def wrong_places(validator, text) -> set[str]:
    errors = validator.iter_errors(tomllib.loads(text))
    return {".".join(str(part) for part in error.absolute_path) for error in errors}


def test_what_loads_fits_the_schema(validator, load):
    assert load(FORMS)
    assert wrong_places(validator, FORMS) == set()


def test_what_is_wrong_does_not_fit_the_schema(validator):
    text = """
    [run]
    seed = -1
    [augmentation]
    random_resized_crop = true
    [defaults]
    name = "x"
    [[task]]
    nam = "a"
    epochs = "3"
    """
    places = {"run.seed", "augmentation.random_resized_crop", "defaults", "task.0", "task.0.epochs"}
    assert wrong_places(validator, text) == places


def test_an_editor_can_explain_every_table_and_most_keys():
    schema = config.json_schema()
    assert set(schema["properties"]) == {*Configuration.model_fields, "defaults"}
    assert set(schema["$defs"]["Defaults"]["properties"]) == set(TaskTable.model_fields) - {"name"}
    assert all(definition["description"] for definition in schema["$defs"].values())
    properties = schema["$defs"]["DataTable"]["properties"]
    assert properties["image_size"]["description"].startswith("Pixels")
