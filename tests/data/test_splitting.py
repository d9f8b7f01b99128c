import numpy as np
import pandas as pd
import pytest

from cxrkit.data.splitting import divided

SHARES = {"val": 0.1, "test": 0.2, "train": 0.7}


def made(patients=400, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        {"patient": f"p{patient}", "label": label, "pathogen": pathogen}
        for patient in range(patients)
        for label, pathogen in [
            [("NORMAL", "normal"), ("PNEUMONIA", "bacteria"), ("PNEUMONIA", "virus")][
                rng.choice(3, p=[0.25, 0.5, 0.25])
            ]
        ]
        for _ in range(rng.geometric(0.6))
    ]
    names = [f"{number}.png" for number in range(len(rows))]
    return pd.DataFrame(rows).assign(image=names, sha256=names)


def test_no_patient_is_in_two_parts():
    frame = made()
    parts = divided(frame, SHARES, seed=0)
    assert parts.groupby(frame["patient"]).nunique().eq(1).all()


@pytest.mark.parametrize("seed", range(3))
def test_each_class_and_pathogen_has_its_share_within_a_percent(seed):
    frame = made()
    shares = pd.crosstab(frame["pathogen"], divided(frame, SHARES, seed=seed), normalize="index")
    for part, share in SHARES.items():
        assert shares[part].sub(share).abs().max() < 0.01


def test_the_seed_alone_decides_not_the_order_of_the_files():
    frame = made()
    mixed = frame.sample(frac=1, random_state=3)
    assert divided(frame, SHARES, seed=0).equals(divided(mixed, SHARES, seed=0).sort_index())
    assert not divided(frame, SHARES, seed=0).equals(divided(frame, SHARES, seed=1))


def test_patients_who_share_a_file_stay_together():
    frame = made()
    twins = frame.assign(sha256=frame["image"].map(lambda name: str(int(name.removesuffix(".png")) // 2)))
    parts = divided(twins, SHARES, seed=0)
    assert parts.groupby(twins["sha256"]).nunique().eq(1).all()
    assert parts.groupby(twins["patient"]).nunique().eq(1).all()


def test_a_class_of_two_patients_is_in_both_parts():
    few = pd.DataFrame({"patient": ["a", "b", *"cdefghijkl"], "label": ["NORMAL"] * 2 + ["PNEUMONIA"] * 10})
    few = few.assign(image=few["patient"], sha256=few["patient"])
    parts = divided(few, {"val": 0.1, "train": 0.9}, seed=0)
    assert set(parts[few["label"] == "NORMAL"]) == {"val", "train"}
    assert (parts[few["label"] == "PNEUMONIA"] == "val").sum() == 1


def test_a_class_of_one_patient_stays_in_train():
    few = pd.DataFrame({"patient": [*"abcd"], "label": ["NORMAL"] + ["PNEUMONIA"] * 3})
    few = few.assign(image=few["patient"], sha256=few["patient"])
    assert divided(few, {"val": 0.3, "train": 0.7}, seed=0)[0] == "train"
