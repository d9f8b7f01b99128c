import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrkit.data.inspection import inspected
from cxrkit.data.measures import STATISTICS, described, measured, modes

DARK = np.full((40, 80), 20, dtype=np.uint8)


@pytest.fixture
def measure(tmp_path):
    def written(images):
        frame = pd.DataFrame({"image": list(images), "split": "test", "label": "A", "patient": "p", "excluded": ""})
        for name, image in images.items():
            image.save(tmp_path / name, quality=100)
        frame, looks = inspected(frame, {"test": tmp_path})
        return frame, looks, measured(frame, looks)

    return written


def test_statistics_of_a_file_are_those_of_its_picture(measure):
    halves = DARK.copy()
    halves[:, 40:] = 220
    quarters = np.zeros((64, 64), dtype=np.uint8)
    quarters[:32, :32] = 255
    _, _, values = measure({"halves.jpeg": Image.fromarray(halves), "quarters.png": Image.fromarray(quarters)})
    assert list(values) == list(STATISTICS)
    assert values.loc[0, ["width", "height", "aspect"]].tolist() == [80, 40, 2]
    assert values.loc[0, "intensity"] == pytest.approx(120, abs=1)
    assert values.loc[0, "contrast"] == pytest.approx(100, abs=3)
    assert values.loc[0, ["black", "white"]].tolist() == [0, 0]
    assert values.loc[1, ["black", "white"]].tolist() == pytest.approx([0.75, 0.25], abs=0.04)  # the edges are grey


def test_brightness_and_contrast_do_not_depend_on_the_resolution(measure):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).resize((160, 160), Image.Resampling.BICUBIC)
    _, _, values = measure({"a.jpeg": small, "b.jpeg": small.resize((1200, 1200), Image.Resampling.BICUBIC)})
    assert values.loc[0, "intensity"] == pytest.approx(values.loc[1, "intensity"], abs=0.5)
    assert values.loc[0, "contrast"] == pytest.approx(values.loc[1, "contrast"], rel=0.02)


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 0), ("LA", 0), ("1", 0), ("I;16", 0), ("RGB", 1), ("RGBA", 1), ("P", 1)]
)
def test_a_file_with_channels_counts_as_colour_whatever_it_shows(measure, mode, colour):
    image = Image.fromarray(DARK.astype(np.uint16)) if mode == "I;16" else Image.fromarray(DARK).convert(mode)
    frame, looks, values = measure({"a.png": image})
    assert values.loc[0, "colour"] == colour
    assert modes(frame, looks, ["test"]) == {"test": {"A": {mode: 1}}}


def test_distributions_are_told_by_set_and_class():
    rng = np.random.default_rng(0)
    used = pd.DataFrame({"split": ["test"] * 7 + ["train"] * 4, "label": [*"ABABAAA", *"AAAB"]})
    values = pd.DataFrame(rng.normal(size=(11, len(STATISTICS))), columns=list(STATISTICS))
    found = described(used, values, ["train", "test"])
    assert [(one.set, one.class_name) for one in found[:: len(STATISTICS)]] == [
        ("train", "A"),
        ("train", "B"),
        ("test", "A"),
        ("test", "B"),
    ]
    heights = next(one for one in found if (one.set, one.class_name, one.statistic) == ("test", "A", "height"))
    expected = values["height"][(used["split"] == "test") & (used["label"] == "A")].describe()
    assert heights.n == expected["count"]
    told = [heights.mean, heights.sd, heights.least, heights.lower_quartile, heights.median, heights.upper_quartile]
    assert [*told, heights.most] == pytest.approx(expected.iloc[1:].tolist())
    assert next(one for one in found if (one.set, one.class_name) == ("train", "B")).sd is None
