"""What is written of a model's logits; the command as a whole is in ``tests/cli/test_predict.py``."""

import csv
import io

import numpy as np
import pytest
from scipy.special import softmax

from cxrkit.records import PredictedImage, PredictingModel, ThresholdRecord, Zone
from cxrkit.run.answer_files import lines, table
from cxrkit.run.predicting import told
from cxrkit.training.images import preprocessing

LOGITS = np.log([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6], [0.1, 0.5, 0.4]])


def at(value):
    return ThresholdRecord(value=value, rule="fixed")


def model(**fields):
    known = {
        "name": "three",
        "file": "model.safetensors",
        "sha256": "0" * 64,
        "architecture": "resnet18",
        "task": "three",
        "seed": 0,
        "class_names": ["NORMAL", "PNEUMONIA", "TB"],
        "positive": "PNEUMONIA",
        "preprocessing": preprocessing(32),
        "temperature": None,
        "threshold": at(0.4),
        "threshold_origin": "model.json",
        "threshold_on_probability": None,
        "zone": None,
        "cam_layer": None,
    }
    return PredictingModel(**(known | fields))


def test_of_three_classes_the_most_probable_other_is_called_below_the_threshold():
    found = told(model(), LOGITS)
    assert [answer.decision for answer in found] == ["NORMAL", "TB", "PNEUMONIA"]
    assert [answer.raw_probability for answer in found] == pytest.approx([0.2, 0.3, 0.5])
    assert [answer.zone for answer in found] == [None] * 3
    (row, _) = csv.DictReader(io.StringIO(table([model()], images(found)[:2], overlays=False)))
    assert list(row) == [
        *("image", "sha256", "status", "probability", "raw_probability", "decision"),
        *("raw_p_NORMAL", "raw_p_PNEUMONIA", "raw_p_TB"),
    ]
    assert float(row["raw_p_TB"]) == found[0].raw_probabilities["TB"] == pytest.approx(0.3)


def images(answers):
    return [
        PredictedImage(image=f"{row}.png", sha256=None, status="ok", answers={"three": answer})
        for row, answer in enumerate(answers)
    ]


def test_the_zone_is_closed_below_and_open_above_and_the_temperature_leaves_it():
    lower, upper = (at(float(value)) for value in softmax(LOGITS, axis=1)[:2, 1])
    found = told(
        model(zone=Zone(lower=lower, upper=upper), temperature=3.0), np.array([*LOGITS[:2], LOGITS[0] - [0, 0.1, 0]])
    )
    assert [answer.zone for answer in found] == ["uncertain", "positive", "negative"]
    assert found[0].probability == pytest.approx(softmax(LOGITS[0] / 3)[1])


def test_a_line_for_the_terminal_holds_no_control_characters():
    (answer, *_) = told(model(), LOGITS)
    (image,) = images([answer])
    (line,) = lines([model()], [image.model_copy(update={"image": "\x1b[31ma\n.png"})])
    assert line == "?[31ma?.png: NORMAL, p(PNEUMONIA) 0.200"
