"""Scores and bare decisions: what a file may hold in place of probabilities."""

import numpy as np
import pytest

from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.metrics import decide

SCORES = """image,label,status,score
a.png,NORMAL,ok,-12.5
b.png,PNEUMONIA,ok,7.25
c.png,PNEUMONIA,timeout,
"""
DECISIONS = """image,label,status,decision
a.png,NORMAL,ok,PNEUMONIA
b.png,PNEUMONIA,ok,PNEUMONIA
c.png,NORMAL,timeout,
d.png,NORMAL,ok,NORMAL
"""


@pytest.fixture
def read(tmp_path):
    def reading(text, **more):
        path = tmp_path / "vendor.csv"
        path.write_text(text, encoding="utf-8")
        return predictions.read(path, task="vendor", set_name="test", **more)

    return reading


def test_a_score_of_any_range_ranks_and_is_decided_on_in_its_own_range(read):
    found = read(SCORES)
    assert (found.scale, found.class_names, found.positive) == ("score", ("NORMAL", "PNEUMONIA"), "PNEUMONIA")
    np.testing.assert_array_equal(found.score, [-12.5, 7.25, np.nan])
    np.testing.assert_array_equal(found.probabilities[:, 0], -found.score)
    assert found.logits is None
    assert decide(found.probabilities, found.positive_index, 5.0).tolist() == [0, 1, -1]
    assert decide(found.probabilities, found.positive_index, -20.0).tolist() == [1, 1, -1]


def test_a_score_keeps_its_sign_where_the_positive_class_comes_first(read):
    found = read(SCORES, class_names=["PNEUMONIA", "NORMAL"], positive="PNEUMONIA")
    np.testing.assert_array_equal(found.probabilities[1], [7.25, -7.25])
    assert found.labels.tolist() == [1, 0, 0]


def test_a_decision_is_the_class_that_was_called(read):
    found = read(DECISIONS)
    assert (found.scale, found.class_names) == ("decision", ("NORMAL", "PNEUMONIA"))
    np.testing.assert_array_equal(found.score, [1, 1, np.nan, 0])
    assert decide(found.probabilities, found.positive_index, 0.5).tolist() == [1, 1, -1, 0]


def test_decisions_of_three_classes_are_called_as_they_are(read):
    found = read("image,label,decision\na,A,B\nb,B,C\nc,C,A\n", positive="B")
    assert found.class_names == ("A", "B", "C")
    assert decide(found.probabilities, found.positive_index, 0.5).tolist() == [1, 2, 0]


@pytest.mark.parametrize("labels", ["NORMAL PNEUMONIA", "0 1"])
@pytest.mark.parametrize("calls", ["NORMAL PNEUMONIA", "0 1"])
def test_0_and_1_mean_the_same_as_the_classes_names(read, labels, calls):
    (no, yes), (not_called, called) = labels.split(), calls.split()
    found = read(
        f"image,label,decision\na,{no},{called}\nb,{yes},{called}\nc,{yes},{not_called}\n", positive="PNEUMONIA"
    )
    assert found.labels.tolist() == [0, 1, 1]
    assert found.score.tolist() == [1, 1, 0]
    assert found.class_names[0] == ("no PNEUMONIA" if labels == calls == "0 1" else "NORMAL")


@pytest.mark.parametrize("text", [SCORES, DECISIONS])
@pytest.mark.parametrize("classes", [None, ["PNEUMONIA", "NORMAL"]])
def test_every_scale_comes_back_bit_by_bit(read, tmp_path, text, classes):
    found = read(text, class_names=classes, positive="PNEUMONIA")
    if found.scale == "score":
        found.probabilities[:] *= np.pi * 1e-7
    predictions.write(tmp_path / "one.csv", found)
    back = predictions.read(
        tmp_path / "one.csv", task="a", set_name="test", class_names=found.class_names, positive="PNEUMONIA"
    )
    assert back.scale == found.scale
    for name in ("images", "patients", "labels", "status", "probabilities"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    predictions.write(tmp_path / "two.csv", back)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("header", "columns", "scale"),
    [
        ("image,label,p_PNEUMONIA,score,decision", {}, "probability"),
        ("image,label,x,score,decision", {}, "score"),
        ("image,label,x,y,decision", {}, "decision"),
        ("image,label,x,score,call", {"decision": "call"}, "decision"),
        ("image,label,p_PNEUMONIA,risk,call", {"score": "risk"}, "score"),
        ("image,label,x,score,call", {"p_PNEUMONIA": "score"}, "probability"),
    ],
)
def test_the_columns_tell_the_scale_and_what_is_mapped_goes_first(read, header, columns, scale):
    assert read(f"{header}\na,NORMAL,0.5,0.5,1\nb,PNEUMONIA,0.5,0.5,1\n", columns=columns).scale == scale


def test_one_column_can_be_two_of_ours_and_a_swap_is_a_swap(read):
    columns = {"image": "uid", "study": "uid", "score": "label", "label": "score"}
    found = read("uid,label,score\na,0.5,NORMAL\nb,0.7,PNEUMONIA\n", columns=columns)
    assert found.score.tolist() == [0.5, 0.7]
    assert found.labels.tolist() == [0, 1]
    assert found.patients.tolist() == ["a", "b"]


def test_without_patients_the_images_of_a_study_are_one_patients(read):
    text = "image,study,label,score\na,S1,0,1\nb,S1,0,2\nc,S2,1,3\n"
    assert read(text, positive="TB").patients.tolist() == ["S1", "S1", "S2"]
    with pytest.raises(InputError, match="row 3, column study: is empty"):
        read(text.replace("b,S1", "b,"), positive="TB")


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (SCORES, "7.25", "nan", r'row 3, column score: "nan" is no finite number'),
        (SCORES, "7.25", "", r"row 3, column score: is empty, give a number"),
        (SCORES, "7.25", "high", r'row 3, column score: "high" is no finite number'),
        (SCORES, "7.25", "1_0", r'row 3, column score: "1_0" is no finite number'),
        (SCORES, "7.25", "-1.7e308", r"row 3, column score: -1\.7e\+308 is too large, allowed is -1e\+300 to 1e\+300"),
        (SCORES, "a.png,NORMAL", "a.png,", r"row 2, column label: is empty"),
        (SCORES, "score", "scroe", r'column "p_PNEUMONIA" is missing, as are score and decision'),
        (
            DECISIONS,
            "ok,NORMAL",
            "ok,NORML",
            r'row 5, column decision: unknown decision "NORML", did you mean "NORMAL"',
        ),
        (DECISIONS, "ok,NORMAL", "ok,", r"row 5, column decision: is empty, give a class"),
        (DECISIONS, "ok,NORMAL", "ok,2", r'row 5, column decision: unknown decision "2", allowed are'),
        (DECISIONS, "ok,NORMAL", "ok,0", r'row 5, column decision: "0" is of another form than those above'),
    ],
)
def test_every_bad_cell_is_told_by_row_and_column(read, text, old, new, message):
    with pytest.raises(InputError, match=message):
        read(text.replace(old, new))


def test_scores_that_are_too_large_are_told_at_once(read):
    with pytest.raises(InputError, match=r"row 2, column score: 1e\+301 is too large \(so are 1 more\)") as error:
        read(SCORES.replace("-12.5", "1e301").replace("7.25", "-1e308"))
    assert len(error.value.problems) == 1
    assert read(SCORES.replace("-12.5", "-1e300")).score[0] == -1e300


def test_a_score_of_three_classes_is_refused(read):
    with pytest.raises(InputError, match=r"a score ranks two classes alone, and there are NORMAL, PNEUMONIA, TB, give"):
        read(SCORES.replace("a.png,NORMAL", "a.png,TB").replace("c.png,PNEUMONIA", "c.png,NORMAL"))


def test_labels_of_0_and_1_need_the_name_of_the_positive_class(read):
    text = SCORES.replace("NORMAL", "0").replace("PNEUMONIA", "1")
    with pytest.raises(InputError, match=r"labels of 0 and 1 name no class, say under \[data\] or by --positive"):
        read(text)
    assert read(text, positive="TB").class_names == ("no TB", "TB")
    with pytest.raises(InputError, match=r'there is no positive class "PNEUMONA", did you mean "PNEUMONIA"'):
        read(SCORES, positive="PNEUMONA")


@pytest.mark.parametrize("text", [SCORES, DECISIONS])
def test_only_probabilities_are_combined_and_rows_keep_their_scale(read, text):
    found = read(text)
    with pytest.raises(InputError, match=f"gives a {found.scale}, only probabilities can be averaged"):
        predictions.combine([found, found], "both")
    assert predictions.combine([found], "alone").scale == found.scale
    assert predictions.taken(found, np.array([1, 0])).scale == found.scale
