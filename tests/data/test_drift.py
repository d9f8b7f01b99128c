import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from statsmodels.stats.multitest import multipletests

from cxrkit.data.drift import drift
from cxrkit.data.measures import STATISTICS


def data(**sets):
    """Images of one class: set → (statistic → values); other statistics never vary. One image a patient."""
    frames = []
    for name, given in sets.items():
        n = len(next(iter(given.values())))
        columns = {statistic: given.get(statistic, np.full(n, 224.0)) for statistic in STATISTICS}
        names = [f"{name}{number}" for number in range(n)]
        frames.append(pd.DataFrame({**columns, "image": names, "patient": names, "split": name, "label": "NORMAL"}))
    frame = pd.concat(frames, ignore_index=True)
    return frame[["image", "patient", "split", "label"]], frame[list(STATISTICS)]


def normal(mean, sd, n, seed=0):
    return np.random.default_rng(seed).normal(mean, sd, n)


def test_a_darker_test_set_is_named_with_its_size():
    used, values = data(val={"intensity": normal(130, 15, 100)}, test={"intensity": normal(112, 15, 150, seed=1)})
    [found] = drift(used, values, [("val", "test")])
    assert found.named
    assert found.effect < -0.5
    before, after = round(np.median(values["intensity"][:100])), round(np.median(values["intensity"][100:]))
    assert found.sentence == (
        f"NORMAL images of test are darker than those of val: mean grey value {after} against {before} "
        f"(Kolmogorov-Smirnov D {found.ks:.2f}, p < 0.001)."
    )


def test_a_tiny_difference_of_many_images_is_significant_and_not_named():
    used, values = data(val={"width": normal(1000, 100, 8000)}, test={"width": normal(1015, 100, 8000, seed=1)})
    [found] = drift(used, values, [("val", "test")])
    assert found.p_adjusted < 0.001
    assert not found.named
    assert found.sentence == "NORMAL: width is much the same in test as in val."


def test_a_large_difference_of_few_images_is_not_named():
    used, values = data(val={"width": normal(1000, 100, 5)}, test={"width": normal(1100, 100, 5, seed=3)})
    [found] = drift(used, values, [("val", "test")])
    assert found.ks >= 0.2
    assert not found.named


def test_another_spread_around_the_same_middle_is_named_as_such():
    used, values = data(val={"height": normal(900, 20, 300)}, test={"height": normal(900, 150, 300, seed=1)})
    [found] = drift(used, values, [("val", "test")])
    assert found.named
    assert "NORMAL images of test are differently spread in height than those of val" in found.sentence


def test_figures_agree_with_their_definitions():
    rng = np.random.default_rng(0)
    before = {name: rng.integers(0, 30, 40).astype(float) for name in STATISTICS}
    after = {name: rng.integers(k, 30 + k, 50).astype(float) for k, name in enumerate(STATISTICS)}
    used, values = data(val=before, test=after)
    found = drift(used, values, [("val", "test")])
    assert [one.statistic for one in found] == list(STATISTICS)
    p_values = []
    for one in found:
        a, b = before[one.statistic], after[one.statistic]
        wins = np.sign(b[:, None] - a[None, :]).mean()
        steps = np.arange(60)
        largest = np.abs((a[:, None] <= steps).mean(axis=0) - (b[:, None] <= steps).mean(axis=0)).max()
        assert one.effect == pytest.approx(wins)
        assert one.ks == pytest.approx(largest)
        p_values.append(ks_2samp(a, b).pvalue)
    assert [one.p_value for one in found] == pytest.approx(p_values)
    assert [one.p_adjusted for one in found] == pytest.approx(multipletests(p_values, method="holm")[1])


def test_one_image_of_each_patient_counts():
    used, values = data(val={"width": normal(1000, 100, 90)}, test={"width": normal(1060, 100, 90, seed=1)})
    [single] = drift(used, values, [("val", "test")])
    copies = used.assign(image=used["image"] + "z")
    [many] = drift(
        pd.concat([used, copies], ignore_index=True),
        pd.concat([values, values + 500], ignore_index=True),
        [("val", "test")],
    )
    assert many == single
    assert (single.n_before, single.n_after) == (90, 90)


def test_another_share_of_a_class_is_no_drift():
    used, values = data(
        val={"width": np.r_[np.full(90, 500.0), np.full(10, 900.0)]}, test={"width": np.full(100, 900.0)}
    )
    used = used.assign(label=np.where(values["width"] == 900, "B", "A"))
    assert drift(used, values, [("val", "test")]) == []


def test_sets_that_are_not_there_are_not_compared():
    used, values = data(test={"width": normal(0, 1, 10)})
    assert drift(used, values, [("val", "test")]) == []
