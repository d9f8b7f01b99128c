import numpy as np
import pandas as pd

from cxrkit.data.sampling import draw, draw_for_maps, draw_of_each_class


def frame(positives=120, negatives=60, per_patient=3):
    labels = ["PNEUMONIA"] * positives + ["NORMAL"] * negatives
    rows = [
        {"image": f"{number:03}.png", "label": label, "patient": f"p{number // per_patient}"}
        for number, label in enumerate(labels)
    ]
    return pd.DataFrame(rows)


def taken(rows, images):
    return rows[rows["image"].isin(images)]


def test_all_images_are_taken_where_no_fewer_are_asked_for():
    rows = frame()

    assert draw(rows, None, seed=0) == (rows["image"].tolist(), "all 180 images")
    assert draw(rows, 180, seed=0)[0] == rows["image"].tolist()


def test_whole_patients_are_drawn_with_the_class_shares_of_the_set():
    rows = frame()

    images, rule = draw(rows, 90, seed=0)

    drawn = taken(rows, images)
    assert drawn["label"].value_counts().to_dict() == {"PNEUMONIA": 60, "NORMAL": 30}
    assert set(drawn.groupby("patient").size()) == {3}
    assert images == sorted(images)
    assert rule == ("90 of 180 images, drawn at random by whole patients, with the class shares of the set (seed 0)")


def test_never_more_images_than_asked_for_also_where_patients_are_large():
    rows = pd.concat([frame(100, 50, per_patient=25), frame(20, 20, per_patient=1).assign(
        image=lambda new: "x" + new["image"], patient=lambda new: "x" + new["patient"])])  # fmt: skip
    for seed in range(20):
        images, _ = draw(rows, 40, seed=seed)
        assert 10 < len(images) <= 40


def test_a_patient_with_images_of_both_classes_stays_whole():
    rows = frame(30, 30, per_patient=4)
    images, _ = draw(rows, 36, seed=1)

    drawn = taken(rows, images)
    whole = rows.groupby("patient").size()
    assert all(whole[patient] == size for patient, size in drawn.groupby("patient").size().items())


def test_the_seed_and_the_images_alone_decide():
    rows = frame()
    first, again, other = (draw(rows, 60, seed=seed)[0] for seed in (0, 0, 1))

    assert first == again
    assert first != other


def test_maps_are_checked_on_as_many_images_of_each_class_and_on_different_patients():
    rows = frame()

    images, rule = draw_for_maps(rows, 30, seed=0)

    drawn = taken(rows, images)
    assert drawn["label"].value_counts().to_dict() == {"PNEUMONIA": 15, "NORMAL": 15}
    assert drawn["patient"].is_unique
    assert rule == (
        "30 of 180 images, drawn at random, as many of each class and of as many patients as can be (seed 0)"
    )


def test_what_a_small_class_lacks_goes_to_the_other():
    images, _ = draw_for_maps(frame(100, 6), 40, seed=0)

    assert taken(frame(100, 6), images)["label"].value_counts().to_dict() == {"PNEUMONIA": 34, "NORMAL": 6}


def test_images_with_a_mask_come_first():
    rows = frame()
    masked = np.arange(len(rows)) % 3 == 0
    rows["mask"] = np.where(masked & (rows["label"] == "PNEUMONIA"), "masks/x.png", "")

    images, rule = draw_for_maps(rows, 60, seed=0)

    drawn = taken(rows, images)
    assert (drawn.loc[drawn["label"] == "PNEUMONIA", "mask"] != "").all()
    assert "those with a mask first" in rule


def test_a_sample_larger_than_the_set_is_the_set():
    rows = frame(8, 4)

    assert draw_for_maps(rows, 60, seed=0)[0] == rows["image"].tolist()


def test_of_each_class_as_many_are_drawn_and_nobody_twice_before_everybody_once():
    rows = frame(positives=12, negatives=9, per_patient=3)

    drawn = draw_of_each_class(rows, 6, seed=0)

    assert list(drawn) == ["NORMAL", "PNEUMONIA"]
    for label, patients in (("NORMAL", 3), ("PNEUMONIA", 4)):
        found = rows.set_index("image").loc[drawn[label]]
        assert set(found["label"]) == {label}
        assert len(drawn[label]) == len(set(drawn[label])) == 6
        assert found["patient"][:patients].nunique() == patients
    assert draw_of_each_class(rows, 6, seed=0) == drawn
    assert draw_of_each_class(rows, 6, seed=1) != drawn
    assert draw_of_each_class(rows.iloc[:1], 6, seed=1) == {"PNEUMONIA": ["000.png"]}


def test_a_patient_of_many_images_is_no_likelier_to_be_drawn():
    rows = pd.concat([frame(20, 0, 20), frame(1, 0, 1).assign(image="other.png", patient="q")], ignore_index=True)

    first = [draw_of_each_class(rows, 1, seed=seed)["PNEUMONIA"][0] for seed in range(200)]

    assert 70 <= first.count("other.png") <= 130
