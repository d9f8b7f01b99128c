"""Predictions joined with a second file that has their labels."""

import numpy as np
import pandas as pd
import pytest

from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.labels import LabelFile

IMAGES = "image,p_PNEUMONIA\na,0.25\nb,0.9\n"
LABELS = "image,label,patient\nc,PNEUMONIA,9\nb,PNEUMONIA,8\na,NORMAL,7\n"
STUDIES = "image,study,p_PNEUMONIA\na1,S1,0.25\na2,S1,0.5\nb1,S2,0.9\n"
OF_STUDIES = "study,label,patient\nS2,1,8\nS3,1,9\nS1,0,7\n"


@pytest.fixture
def read(tmp_path):
    def reading(text, labels, *, join="image", columns=None, **more):
        for name, content in (("vendor.csv", text), ("truth.csv", labels)):
            (tmp_path / name).write_text(content, encoding="utf-8")
        file = LabelFile(tmp_path / "truth.csv", columns or {}, join)
        return predictions.read(tmp_path / "vendor.csv", task="vendor", set_name="test", labels=file, **more)

    return reading


def test_labels_by_image_decide_the_order_and_name_what_the_predictions_lack(read):
    found = read(IMAGES, LABELS)
    assert found.images.tolist() == ["c", "b", "a"]
    assert found.patients.tolist() == ["9", "8", "7"]
    assert found.labels.tolist() == [1, 1, 0]
    assert found.status.tolist() == ["not in the prediction file", "ok", "ok"]
    np.testing.assert_array_equal(found.score, [np.nan, 0.9, 0.25])
    assert found.class_names == ("NORMAL", "PNEUMONIA")


def test_labels_by_study_hold_for_each_of_its_images(read):
    found = read(STUDIES, OF_STUDIES, join="study")
    assert found.images.tolist() == ["a1", "a2", "b1", "S3"]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.patients.tolist() == ["7", "7", "8", "9"]
    assert found.status.tolist() == ["ok", "ok", "ok", "not in the prediction file"]
    np.testing.assert_array_equal(found.score, [0.25, 0.5, 0.9, np.nan])


def test_patients_come_from_the_predictions_where_the_labels_have_none(read):
    labels = "study,label\nS1,0\nS2,1\nS3,1\n"
    assert read(STUDIES, labels, join="study").patients.tolist() == ["S1", "S1", "S2", "S3"]
    own = STUDIES.replace("image,", "patient,image,").replace("\na", "\nP1,a").replace("\nb", "\nP2,b")
    assert read(own, labels, join="study").patients.tolist() == ["P1", "P1", "P2", "S3"]
    with pytest.raises(InputError, match="row 4, column patient: is empty"):
        read(own.replace("P2", ""), labels, join="study")
    assert read(IMAGES, "image,label\na,0\nb,1\nc,1\n").patients.tolist() == ["a", "b", "c"]


def test_a_study_without_images_is_not_taken_for_an_image_of_its_name(read):
    found = read(STUDIES.replace("a1,", "S3,"), OF_STUDIES, join="study")
    assert found.images.tolist() == ["S3", "a2", "b1", "study S3"]


def test_the_label_file_may_name_its_columns_otherwise(read):
    text = OF_STUDIES.replace("study,label,patient", "uid,truth,who")
    columns = {"study": "uid", "label": "truth", "patient": "who"}
    assert read(STUDIES, text, join="study", columns=columns).patients.tolist() == ["7", "7", "8", "9"]


@pytest.mark.parametrize("scale", ["score", "decision"])
def test_the_classes_of_scores_and_decisions_come_from_the_label_file(read, scale):
    found = read(IMAGES.replace("p_PNEUMONIA", scale).replace("0.25", "0").replace("0.9", "1"), LABELS)
    assert (found.scale, found.class_names) == (scale, ("NORMAL", "PNEUMONIA"))
    assert found.score[1:].tolist() == [1, 0]
    assert np.isnan(found.probabilities[0]).all()


@pytest.mark.parametrize(
    ("text", "labels", "join", "message"),
    [
        (IMAGES, LABELS.replace("\nb,", "\nbb,"), "image", r'1 of 2 images have no label in .*truth.csv, e.g. "b", '),
        (
            STUDIES,
            OF_STUDIES.replace("S1", "S9"),
            "study",
            r'vendor.csv: 1 of 2 studies have no label in .*truth.csv, e.g. "S1"',
        ),
        (STUDIES, OF_STUDIES + "S2,0,8\n", "study", r'truth.csv: row 5, column study: "S2" stands in row 2 already'),
        (IMAGES, LABELS + "a,NORMAL,7\n", "image", r'truth.csv: row 5, column image: "a" stands in row 4 already'),
        (STUDIES, OF_STUDIES + ",0,8\n", "study", r"truth.csv: row 5, column study: is empty, every row needs"),
        (STUDIES, OF_STUDIES.replace("S3,1", "S3,"), "study", r"truth.csv: row 3, column label: is empty"),
        (STUDIES, OF_STUDIES.replace("S3,1", "S3,X"), "study", r'row 3, column label: "X" is of another form'),
        (IMAGES, LABELS.replace("NORMAL,7", "NORMAL,"), "image", r"truth.csv: row 4, column patient: is empty"),
        (IMAGES, OF_STUDIES, "study", r'vendor.csv: column "study" is missing, labels are joined by it'),
        (IMAGES, OF_STUDIES, "image", r'truth.csv: column "image" is missing'),
        (IMAGES, LABELS.replace("label", "lable"), "image", r'truth.csv: column "label" is missing, did you mean'),
        (IMAGES, LABELS.splitlines()[0] + "\n", "image", r"truth.csv: has no rows, one for each image is needed"),
        (
            "image,label,p_PNEUMONIA\na,1,0.25\nb,1,0.9\n",
            LABELS,
            "image",
            r'1 labels differ from those of .*truth.csv, e.g. "a" is "PNEUMONIA" here and "NORMAL" there',
        ),
    ],
)
def test_what_does_not_fit_is_told(read, text, labels, join, message):
    with pytest.raises(InputError, match=message):
        read(text, labels, join=join)


def test_a_score_against_the_images_of_a_run_needs_two_classes_there(tmp_path):
    path = tmp_path / "vendor.csv"
    path.write_text("image,score\na,3\n", encoding="utf-8")
    frame = pd.DataFrame({"image": ["a"], "label": ["TB"], "patient": ["1"]})
    with pytest.raises(InputError, match=r'has label "TB" and the classes are NORMAL, PNEUMONIA'):
        predictions.read(path, task="a", set_name="test", class_names=["NORMAL", "PNEUMONIA"], labels=frame)
    with pytest.raises(InputError, match="a score ranks two classes alone"):
        predictions.read(path, task="a", set_name="test", class_names=["NORMAL", "PNEUMONIA", "TB"], labels=frame)
