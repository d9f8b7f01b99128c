import numpy as np
import pandas as pd
import pytest

from cxrkit.errors import InputError
from cxrkit.evaluation import predictions

GOOD = """image,patient,label,status,p_NORMAL,p_PNEUMONIA
a.png,1,NORMAL,ok,0.75,0.25
b.png,1,PNEUMONIA,ok,0.1,0.9
"""


@pytest.fixture
def read(tmp_path):
    def reading(text, *, encoding="utf-8", **more):
        path = tmp_path / "vendor.csv"
        path.write_bytes(text.encode(encoding))
        return predictions.read(path, task="vendor", set_name="test", **more)

    return reading


def frame(*rows):
    return pd.DataFrame(rows, columns=["image", "label", "patient"])


def test_what_is_written_comes_back_bit_by_bit(tmp_path, simulate):
    found = simulate()
    logits = np.random.default_rng(0).normal(size=found.probabilities.shape) * 1e-7
    status = np.where(np.arange(240) == 7, "out of memory, twice", "ok")
    found.probabilities[7] = logits[7] = np.nan
    found = predictions.replace(found, logits=logits, status=status)
    predictions.write(tmp_path / "one.csv", found)
    back = predictions.read(tmp_path / "one.csv", task="a", set_name="test")
    for name in ("images", "patients", "labels", "status", "probabilities", "logits"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    predictions.write(tmp_path / "two.csv", back)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert b"\r" not in (tmp_path / "one.csv").read_bytes()


def test_a_whole_file_is_read(read):
    found = read(GOOD)
    assert found.class_names == ("NORMAL", "PNEUMONIA")
    assert found.positive == "PNEUMONIA"
    assert found.patients.tolist() == ["1", "1"]
    assert found.labels.tolist() == [0, 1]
    assert found.score.tolist() == [0.25, 0.9]
    assert found.logits is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_spreadsheets_mark_line_ends_spaces_and_empty_last_rows_are_accepted(read, encoding):
    text = GOOD.replace(",", " , ").replace("\n", "\r\n") + ",,,,,\r\n\r\n"
    assert read(text, encoding=encoding).images.tolist() == ["a.png", "b.png"]


def test_a_vendors_file_needs_one_score_column_and_labels_of_0_and_1(read):
    found = read(
        "sop_uid,score,label\n1.2.3,0.8,1\n1.2.4,0.3,0\n", columns={"image": "sop_uid", "p_PNEUMONIA": "score"}
    )
    assert found.class_names == ("no PNEUMONIA", "PNEUMONIA")
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(found.probabilities[:, 0], 1 - found.score)
    assert found.patients.tolist() == found.images.tolist()


def test_the_other_class_has_its_name_from_the_labels(read):
    assert read("image,label,p_TB\na,HEALTHY,0.1\nb,TB,0.8\n").class_names == ("HEALTHY", "TB")
    assert read("image,label,p_TB\na,HEALTHY,0.1\n").positive == "TB"


def test_classes_come_in_the_configured_order(read):
    found = read(GOOD, class_names=["PNEUMONIA", "NORMAL"], positive="NORMAL")
    assert found.labels.tolist() == [1, 0]
    assert found.probabilities[0].tolist() == [0.25, 0.75]


def test_three_classes_have_labels_by_name(read):
    text = "image,label,p_A,p_B,p_C\nx,B,0.33,0.33,0.33\n"
    found = read(text, positive="B")
    assert found.labels.tolist() == [1]
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-12)
    with pytest.raises(InputError, match=r'row 2, column label: unknown label "1", allowed are A, B, C'):
        read(text.replace("x,B", "x,1"), positive="B")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.25", "nan", r'row 2, column p_PNEUMONIA: "nan" is no finite number'),
        ("0.25", "inf", r'row 2, column p_PNEUMONIA: "inf" is no finite number'),
        ("0.25", "", r"row 2, column p_PNEUMONIA: is empty, give a number, or say in a column \"status\""),
        ("0.25", "0_1", r'row 2, column p_PNEUMONIA: "0_1" is no finite number'),
        ("0.25", "high", r'row 2, column p_PNEUMONIA: "high" is no finite number'),
        ("0.25", "1.25", r"row 2, column p_PNEUMONIA: 1.25 is no probability, allowed is 0 to 1"),
        ("0.25", "-0.25", r"row 2, column p_PNEUMONIA: -0.25 is no probability"),
        ("0.25", "0.5", r"row 2, column p_NORMAL: the classes' probabilities sum to 1.25, 1 is needed"),
        ("b.png", "a.png", r'row 3, column image: "a.png" stands in row 2 already'),
        ("b.png", "", r"row 3, column image: is empty"),
        ("b.png,1,", "b.png,,", r"row 3, column patient: is empty"),
        ("PNEUMONIA,ok", "PNEUMONA,ok", r'row 3, column label: unknown label "PNEUMONA", did you mean "PNEUMONIA"'),
        ("PNEUMONIA,ok", ",ok", r"row 3, column label: is empty, every row needs its true class"),
        ("PNEUMONIA,ok", "1,ok", r'row 3, column label: "1" is of another form than those above, use class names or'),
        ("PNEUMONIA,ok", "PNEUMONIA,", r'row 3, column status: is empty, allowed are "ok" and the reason'),
        ("0.1,0.9", "0.1,0.9,7", r"row 3 has 7 cells, the header has 6"),
        ("image", "imgae", r'column "image" is missing, did you mean "imgae"'),
        ("label", "lable", r'column "label" is missing, did you mean "lable"'),
        ("status", "label", r'the header has column "label" twice'),
        ("p_NORMAL,p_PNEUMONIA", "q,r", r'column "p_PNEUMONIA" is missing'),
        (",", ";", r"is separated by semicolons, save it as CSV with commas"),
        ("a.png", '"a.png', r"is no readable CSV"),
    ],
)
def test_every_bad_cell_is_told_by_row_and_column(read, old, new, message):
    with pytest.raises(InputError, match=message):
        read(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("93", "8.5", "0.5"), "column p_PNEUMONIA: numbers from 0.5 to 93, allowed are probabilities from 0 to 1; if"),
        (("0.9", "8.5", "0.5"), "row 3, column p_PNEUMONIA: 8.5 is no probability"),
        (("93", "8.5", "-1"), "row 2, column p_PNEUMONIA: 93.0 is no probability"),
        (("930", "8.5", "3"), "row 2, column p_PNEUMONIA: 930.0 is no probability"),
    ],
)
def test_percentages_are_told_once_and_single_wrong_cells_as_such(read, cells, message):
    rows = "".join(f"{row}.png,PNEUMONIA,{cell}\n" for row, cell in enumerate(cells))
    with pytest.raises(InputError, match=message) as caught:
        read(f"image,label,p_PNEUMONIA\n{rows}")
    assert ("divide them by 100" in str(caught.value)) == ("numbers from" in message)


def test_an_unknown_label_is_told_once_with_how_often(read):
    rows = "".join(
        f"{row}.png,{label},0.5,0.5\n" for row, label in enumerate(["COVID", "NORMAL", "COVID", "TB", "COVID"])
    )
    with pytest.raises(InputError) as caught:
        read(f"image,label,p_NORMAL,p_PNEUMONIA\n{rows}")
    told = [
        'row 2, column label: unknown label "COVID" (so have 2 more rows)',
        'row 5, column label: unknown label "TB",',
    ]
    assert [sentence in problem for sentence, problem in zip(told, caught.value.problems, strict=True)] == [True, True]


def test_all_problems_are_told_at_once_and_a_flood_is_counted(read):
    with pytest.raises(InputError) as caught:
        read(GOOD.replace("0.25", "x").replace("b.png", "a.png"))
    assert len(caught.value.problems) == 2
    rows = "".join(f"{row}.png,1,NORMAL,ok,0.5,x\n" for row in range(50))
    with pytest.raises(InputError, match="30 more problems like these"):
        read(GOOD.splitlines()[0] + "\n" + rows)


@pytest.mark.parametrize(
    ("text", "message"), [("", "is empty"), ("\n\n", "is empty"), (GOOD.splitlines()[0] + "\n", "has no rows")]
)
def test_a_file_without_rows_is_refused(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


def test_what_is_no_text_or_no_file_is_refused(read, tmp_path):
    with pytest.raises(InputError, match="is no UTF-8 text"):
        read(GOOD.replace("a.png", "ä.png"), encoding="latin-1")
    with pytest.raises(InputError, match="there is no such file"):
        predictions.read(tmp_path / "missing.csv", task="a", set_name="test")
    with pytest.raises(InputError, match="cannot be read"):
        predictions.read(tmp_path, task="a", set_name="test")


def test_a_mapped_column_that_is_not_there_is_told_with_the_nearest(read):
    with pytest.raises(InputError, match=r'column "imag" is missing, did you mean "image"'):
        read(GOOD, columns={"image": "imag"})


def test_the_positive_class_must_be_told_where_the_file_cannot(read):
    text = GOOD.replace("PNEUMONIA", "TB")
    with pytest.raises(InputError, match=r"the positive class is not told, .* which of NORMAL, TB it is"):
        read(text)
    assert read(text, positive="TB").positive == "TB"
    with pytest.raises(InputError, match=r'there is no positive class "TBC", did you mean "TB"'):
        read(text, positive="TBC")


def test_an_image_without_result_says_why_and_has_no_figures(read):
    found = read(GOOD.replace("ok,0.1,0.9", "timeout,,"))
    assert found.status.tolist() == ["ok", "timeout"]
    assert np.isnan(found.probabilities[1]).all()


def test_labels_and_patients_come_from_the_images_and_lacking_ones_have_no_result(read):
    labels = frame(("c.png", "PNEUMONIA", "9"), ("b.png", "PNEUMONIA", "8"), ("a.png", "NORMAL", "7"))
    found = read("image,p_PNEUMONIA\na.png,0.25\nb.png,0.9\n", labels=labels)
    assert found.images.tolist() == ["c.png", "b.png", "a.png"]
    assert found.status.tolist() == ["not in the prediction file", "ok", "ok"]
    assert found.patients.tolist() == ["9", "8", "7"]
    assert found.class_names == ("NORMAL", "PNEUMONIA")
    np.testing.assert_array_equal(found.score, [np.nan, 0.9, 0.25])


def test_strange_images_and_other_labels_are_refused(read):
    labels = frame(("a.png", "NORMAL", "7"), ("bb.png", "PNEUMONIA", "8"))
    with pytest.raises(InputError, match=r'1 of 2 images are not in the set "test", e.g. "b.png", did you mean'):
        read(GOOD, labels=labels)
    labels = frame(("a.png", "PNEUMONIA", "7"), ("b.png", "PNEUMONIA", "8"))
    with pytest.raises(InputError, match=r'1 labels differ .* "a.png" is "NORMAL" here and "PNEUMONIA" there'):
        read(GOOD, labels=labels)


def test_seeds_are_combined_by_the_mean_logit(make):
    truth = [0, 1, 1]
    one, two = make(truth, [0.2, 0.9, 0.5]), make(truth, [0.4, 0.6, 0.5], status=["ok", "ok", "crashed"])
    both = predictions.combine([one, two], "ensemble")
    odds = np.sqrt((0.2 / 0.8) * (0.4 / 0.6))
    assert both.score[0] == pytest.approx(odds / (1 + odds))
    assert both.task == "ensemble"
    assert both.status.tolist() == ["ok", "ok", "crashed"]
    assert np.isnan(both.score[2])
    np.testing.assert_array_equal(predictions.combine([one], "x").probabilities, one.probabilities)


def test_predictions_are_brought_into_one_order_and_other_images_refused(make):
    one = make([0, 1, 1], [0.2, 0.9, 0.5])
    turned = predictions.taken(one, np.array([2, 0, 1]))
    np.testing.assert_array_equal(predictions.aligned_to(one, turned).score, one.score)
    with pytest.raises(InputError, match=r'1 images are in one alone, e.g. "test/00002.png" in "a"'):
        predictions.aligned_to(one, predictions.replace(predictions.taken(one, np.array([0, 1])), task="b"))
