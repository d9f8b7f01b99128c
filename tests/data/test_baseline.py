import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cxrkit.data.baseline import FEATURES, baselines
from cxrkit.data.measures import STATISTICS

SETS = (["train"], ["test"])


def data(seed=0, n=400, per_patient=1, labels=("NORMAL", "PNEUMONIA"), **statistics):
    """Images of train and test; ``statistics`` are functions of (generator, labels), others never vary."""
    rng = np.random.default_rng(seed)
    patient = np.arange(n) // per_patient
    label = rng.choice(labels, n)
    values = pd.DataFrame({name: np.full(n, 224.0) for name in STATISTICS})
    for name, make in statistics.items():
        values[name] = make(rng, label)
    split = np.where(patient < 0.6 * n / per_patient, "train", "test")
    used = pd.DataFrame({"split": split, "label": label, "patient": [f"p{number}" for number in patient]})
    return used, values


def shifted(amount, of="PNEUMONIA"):
    return lambda rng, label: rng.normal(0, 1, len(label)) + amount * (label == of)


def by_name(found):
    return {one.name: one for one in found}


def test_a_size_that_gives_the_label_away_is_called_a_shortcut():
    used, values = data(width=shifted(1.5), height=shifted(0.2))
    found = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))
    size = found["size"]
    assert size.shortcut
    assert size.features == ["width", "height"]
    assert size.carried_by == "width"
    assert 0.8 < size.auc["test"].value < 0.92
    assert size.auc["test"].n == (used["split"] == "test").sum()
    assert size.sentence.startswith("Image size alone tells PNEUMONIA from NORMAL with an AUC of 0.8")
    assert "may learn the scanner or the department in place of the disease" in size.sentence
    assert not found["all"].shortcut


def test_a_size_that_tells_nothing_is_no_shortcut():
    used, values = data(width=shifted(0), intensity=shifted(0))
    for found in baselines(used, values, "PNEUMONIA", SETS, 0.95):
        assert not found.shortcut
        assert "little of PNEUMONIA from NORMAL: AUC 0." in found.sentence
        assert 0.4 < found.auc["test"].value < 0.6


def test_brightness_that_goes_with_the_label_may_be_the_disease():
    used, values = data(intensity=shifted(1))
    found = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))
    assert list(found) == ["size", "brightness"]
    assert not found["brightness"].shortcut
    assert "opacities brighten lungs" in found["brightness"].sentence
    assert found["size"].sentence == "All images have the same size."
    assert found["size"].cross_validated is None


def test_one_size_in_training_and_another_one_elsewhere_is_told_as_such():
    used, values = data(intensity=shifted(0))
    values["width"] = np.where(used["split"] == "train", 224.0, 512.0)
    size = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"]
    assert size.sentence == "All images of train have the same size."
    assert not size.shortcut


def test_colour_files_of_one_class_alone_are_a_shortcut():
    used, values = data(colour=lambda rng, label: 1.0 * ((rng.random(len(label)) < 0.5) & (label == "PNEUMONIA")))
    found = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))
    assert found["colour"].shortcut
    assert found["all"].carried_by == "colour"


def test_a_shortcut_need_not_be_a_straight_line():
    used, values = data(width=lambda rng, label: np.where(label == "NORMAL", 512, rng.choice([256, 1024], len(label))))
    size = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"]
    assert size.auc["test"].value == pytest.approx(1)
    assert 0.9 < size.auc["test"].low < 1
    assert size.shortcut


def test_patients_are_not_recognised_across_folds():
    """Each patient has a size of its own and a label by chance: by image it could be learnt, by patient it cannot."""
    used, values = data(n=600, per_patient=6)
    rng = np.random.default_rng(1)
    number = used["patient"].str[1:].astype(int).to_numpy()
    values["width"] = rng.permutation(100)[number].astype(float)
    used["label"] = np.where(rng.random(100)[number] < 0.5, "NORMAL", "PNEUMONIA")
    size = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"]
    assert 0.25 < size.cross_validated.value < 0.7
    assert "Obuchowski" in size.cross_validated.method
    assert size.cross_validated.n_patients == used.loc[used["split"] == "train", "patient"].nunique()


def test_the_estimate_is_the_area_of_the_models_scores(monkeypatch):
    """A model that passes a statistic on has this statistic's own AUC."""

    class Passing:
        def predict_proba(self, values):
            return np.column_stack([-values["width"], values["width"]])

    monkeypatch.setattr("cxrkit.data.baseline._fitted", lambda *_: Passing())
    used, values = data(width=shifted(0.7))
    size = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"]
    for name, estimate in (("train", size.cross_validated), ("test", size.auc["test"])):
        rows = used["split"] == name
        expected = roc_auc_score(used.loc[rows, "label"] == "PNEUMONIA", values.loc[rows, "width"])
        assert estimate.value == pytest.approx(expected)


def test_few_patients_are_no_ground_for_a_verdict():
    used, values = data(n=30, per_patient=2, width=shifted(3))
    size = by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"]
    assert size.cross_validated is None
    assert size.auc == {}
    assert size.sentence == "Too few patients to say whether image size alone tells PNEUMONIA from NORMAL."


def test_a_single_statistic_that_separates_backwards_carries_the_model():
    used, values = data(width=shifted(-20), height=shifted(0.5))
    assert by_name(baselines(used, values, "PNEUMONIA", SETS, 0.95))["size"].carried_by == "width"


def test_a_class_is_told_from_all_others():
    used, values = data(labels=("a", "b", "c"), width=shifted(2, of="c"))
    size = by_name(baselines(used, values, "c", SETS, 0.95))["size"]
    assert "Image size alone tells c from the other classes" in size.sentence


def test_every_statistic_belongs_to_a_model():
    assert set(FEATURES["size"] + FEATURES["colour"] + FEATURES["brightness"]) == set(STATISTICS)
