import pandas as pd
import pytest

from cxrkit.config.schema import ColumnRule, NamedRule, RegexRule
from cxrkit.data.patients import assigned, kermany, naive_kermany_key
from cxrkit.errors import InputError


def frame(*images, **columns):
    empty = {"split": "train", "label": "NORMAL", "patient": "", "excluded": ""}
    return pd.DataFrame({"image": list(images)}).assign(**empty).assign(**columns)


def patients(rows, rule, external=frozenset()):
    return assigned(rows, rule, external, "images")


@pytest.mark.parametrize(
    ("image", "patient", "pathogen"),
    [
        ("train/PNEUMONIA/person1003_bacteria_2934.jpeg", "bacteria-1003", "bacteria"),
        ("person1003_virus_1685.jpeg", "virus-1003", "virus"),
        ("person23_virus_56_1.jpeg", "virus-23", "virus"),
        ("IM-0115-0001.jpeg", "IM-0115", "normal"),
        ("IM-0501-0001-0002.jpeg", "IM-0501", "normal"),
        ("NORMAL2-IM-1427-0001.jpeg", "NORMAL2-IM-1427", "normal"),
        ("PERSON7_VIRUS_9.JPEG", "virus-7", "virus"),
        ("BACTERIA-1008087-0001.jpeg", "bacteria-1008087", "bacteria"),
    ],
)
def test_kermany_names_tell_patient_and_pathogen(image, patient, pathogen):
    assert kermany(image) == (patient, pathogen)


def test_patients_that_names_tell_and_nothing_uses_are_pointed_at():
    rows = frame("IM-0115-0001.jpeg", "IM-0115-0002.jpeg", "person1_virus_1.jpeg", "scan.jpeg")
    (note,) = patients(rows, None).notes
    assert note.startswith("The names of the 4 images tell 3 patients apart, but each image counts as a patient")
    assert patients(rows, NamedRule(rule="image")).notes == []  # as it was asked for
    assert patients(frame("IM-0115-0001.jpeg", "person1_virus_1.jpeg"), None).notes == []  # one image of each
    assert patients(frame("IM-0115-0001.jpeg", "IM-0115-0002.jpeg", patient="a"), None).notes == []


@pytest.mark.parametrize("image", ["scan.jpeg", "person1003.jpeg", "IM-.jpeg", "bacteria/0001.jpeg"])
def test_other_names_are_not_taken_for_kermanys(image):
    assert kermany(image) is None


def test_the_naive_key_takes_two_children_for_one():
    images = ["person12_bacteria_1.jpeg", "person12_virus_1.jpeg"]
    assert len({kermany(image).patient for image in images}) == 2
    assert {naive_kermany_key(image) for image in images} == {"person12"}
    assert naive_kermany_key("IM-0115-0001.jpeg") == "IM-0115"
    assert naive_kermany_key("scan.jpeg") == "scan.jpeg"


def test_the_kermany_rule_adds_the_pathogen():
    grouped = patients(frame("person1_virus_2.jpeg", "IM-0001-0001.jpeg"), NamedRule(rule="kermany"))
    assert list(grouped.frame["patient"]) == ["virus-1", "IM-0001"]
    assert list(grouped.frame["pathogen"]) == ["virus", "normal"]
    assert grouped.notes == []


def test_a_name_without_a_match_is_an_error_unless_it_may_be_its_own():
    rows = frame("person1_virus_2.jpeg", "scan.jpeg")
    with pytest.raises(
        InputError, match=r'1 of 2 file names do not match rule "kermany", e.g. "scan.jpeg", allowed with'
    ):
        patients(rows, NamedRule(rule="kermany"))
    grouped = patients(rows, NamedRule(rule="kermany", unmatched="own"))
    assert list(grouped.frame["patient"]) == ["virus-1", "scan.jpeg"]
    assert "1 of 2 file names do not match" in grouped.notes[0]


def test_excluded_files_and_external_sets_need_no_match():
    rows = frame("scan.jpeg", ".DS_Store", split=["hospital", "train"], excluded=["", "system file"])
    grouped = patients(rows, NamedRule(rule="kermany"), frozenset({"hospital"}))
    assert list(grouped.frame["patient"]) == ["scan.jpeg", ".DS_Store"]


@pytest.mark.parametrize("pattern", [r"(?:x)?(?P<patient>p\d+)_(.)", r"(p\d+)_", r"p\d+"])
def test_a_pattern_gives_its_named_group_else_its_first_else_the_match(pattern):
    grouped = patients(frame("a/p12_L.png", "a/p12_R.png", "b/p3_L.png"), RegexRule(regex=pattern))
    assert list(grouped.frame["patient"]) == ["p12", "p12", "p3"]


def test_a_column_gives_patients_and_must_be_there_and_filled():
    rows = frame("a.png", "b.png", subject=["s1", "s1"])
    assert list(patients(rows, ColumnRule(column="subject")).frame["patient"]) == ["s1", "s1"]
    with pytest.raises(InputError, match='no column "subjekt", did you mean "subject"'):
        patients(rows, ColumnRule(column="subjekt"))
    with pytest.raises(InputError, match=r'column "subject" is empty for 1 of 2 images, e.g. "b.png"'):
        patients(rows.assign(subject=["s1", " "]), ColumnRule(column="subject"))


def test_without_a_rule_the_data_sets_own_patients_count_else_every_image_is_its_own():
    assert list(patients(frame("a.png", "b.png", patient=["p", "p"]), None).frame["patient"]) == ["p", "p"]
    assert list(patients(frame("a.png", "b.png"), None).frame["patient"]) == ["a.png", "b.png"]
    given = frame("a.png", "b.png", patient=["p", "p"])
    assert list(patients(given, NamedRule(rule="image")).frame["patient"]) == ["a.png", "b.png"]
