from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxrkit.config.schema import RobustnessTable
from cxrkit.data.corruptions import STRENGTHS, conditions, corrupt, moves

EVERY = conditions(STRENGTHS, range(1, 6), shortcuts=True)
NAMED = {condition.name: condition for condition in EVERY}


def radiograph(height=256, width=300):
    """Smooth shades with ribs: something that every corruption changes."""
    y, x = np.mgrid[:height, :width] / height
    shades = 120 + 60 * np.cos(4 * x) * np.sin(3 * y) + 25 * np.sin(60 * y)
    return shades.round().clip(0, 255).astype(np.uint8)


def difference(one, other):
    return np.abs(one.astype(float) - other).mean()


def test_conditions_come_by_corruption_and_rising_severity_with_names_for_files():
    found = conditions(["noise", "blur", "noise"], [5, 1, 5], shortcuts=True)

    assert [condition.name for condition in found] == ["noise-1", "noise-5", "blur-1", "blur-5", "borders", "corners"]
    assert [condition.severity for condition in found] == [1, 5, 1, 5, None, None]
    assert len(conditions(["noise"], [1], shortcuts=False)) == 1


def test_settings_are_told_in_words_with_units():
    assert NAMED["rotation-3"].setting == "rotated by 10 degrees, left or right by image"
    assert NAMED["blur-1"].setting == "blurred by a Gaussian whose SD is 0.2% of the shorter side"
    assert NAMED["jpeg-3"].setting == "JPEG quality 25 of 100 at 224 pixels"
    assert NAMED["gamma-2"].setting == "gamma of 1.4 (darker) or 1/1.4 (lighter) by image"


def test_every_corruption_that_the_configuration_allows_is_there():
    assert set(RobustnessTable().corruptions) == set(STRENGTHS)


@pytest.mark.parametrize("condition", EVERY, ids=[condition.name for condition in EVERY])
def test_a_condition_changes_an_image_and_is_the_same_each_time(condition):
    grey = radiograph()
    before = grey.copy()

    found = corrupt(grey, condition, "a.png")

    assert (found.shape, found.dtype) == (grey.shape, np.uint8)
    assert not np.array_equal(found, grey)
    assert np.array_equal(found, corrupt(grey, condition, "a.png"))
    assert np.array_equal(grey, before)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_severity_changes_more_than_the_one_before(name):
    grey = radiograph()
    changes = [difference(corrupt(grey, NAMED[f"{name}-{severity}"], "a.png"), grey) for severity in range(1, 6)]

    assert changes == sorted(changes)
    assert len(set(changes)) == 5


@pytest.mark.parametrize("name", ["rotation", "noise", "gamma"])
def test_what_is_drawn_at_random_depends_on_the_image_alone(name):
    grey = radiograph()
    found = {corrupt(grey, NAMED[f"{name}-3"], f"{number}.png").tobytes() for number in range(8)}

    assert len(found) == (8 if name == "noise" else 2)  # else a direction, one of two


def test_an_image_turns_by_the_stated_angle_about_its_centre():
    grey = np.zeros((301, 401), dtype=np.uint8)
    grey[148:153, 348:353] = 255  # 150 pixels to the right of the centre

    rows, columns = np.nonzero(corrupt(grey, NAMED["rotation-4"], "a.png") > 100)

    angle = np.degrees(np.arctan2(rows.mean() - 150, columns.mean() - 200))
    assert abs(angle) == pytest.approx(15, abs=0.5)


def test_rotation_alone_comes_before_the_crop():
    assert {condition.corruption for condition in EVERY if moves(condition)} == {"rotation"}


@pytest.mark.parametrize("side", [200, 400])
def test_a_point_is_blurred_by_a_share_of_the_shorter_side(side):
    grey = np.zeros((side, 2 * side), dtype=np.uint8)
    grey[side // 2 - 1 : side // 2 + 2, side - 1 : side + 2] = 255

    found = corrupt(grey, NAMED["blur-5"], "a.png").astype(float)

    columns = np.arange(2 * side)
    spread = np.sqrt(np.average((columns - side) ** 2, weights=found.sum(axis=0)))
    assert spread == pytest.approx(np.hypot(0.014 * side, np.sqrt(2 / 3)), rel=0.1)


def test_noise_has_the_stated_spread_and_no_bias():
    grey = np.full((224, 224), 128, dtype=np.uint8)

    added = corrupt(grey, NAMED["noise-3"], "a.png").astype(float) - 128

    assert added.std() == pytest.approx(13, rel=0.03)
    assert added.mean() == pytest.approx(0, abs=0.3)


def test_contrast_keeps_the_mean_and_shrinks_the_distances_to_it():
    grey = np.array([[100, 200], [100, 200]], dtype=np.uint8).repeat(8, 0).repeat(8, 1)

    assert set(corrupt(grey, NAMED["contrast-4"], "a.png").flat) == {130, 170}


def test_gamma_darkens_or_lightens_and_keeps_black_and_white():
    grey = np.array([0, 64, 255] * 8, dtype=np.uint8).reshape(8, 3).repeat(4, 1)

    found = {tuple(np.unique(corrupt(grey, NAMED["gamma-4"], f"{number}.png"))) for number in range(8)}

    darker, lighter = round(255 * (64 / 255) ** 2.1), round(255 * (64 / 255) ** (1 / 2.1))
    assert found == {(0, darker, 255), (0, lighter, 255)}


def test_an_image_of_224_pixels_is_what_pillow_compresses_it_to():
    grey = radiograph(224, 260)
    file = BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=9)

    assert np.array_equal(corrupt(grey, NAMED["jpeg-5"], "a.png"), np.asarray(Image.open(file)))


def reduced(grey, side):
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BOX)).astype(float)


@pytest.mark.parametrize("side", [64, 224, 448])
@pytest.mark.parametrize("name", ["blur-4", "noise-4", "jpeg-5", "contrast-4", "gamma-4", "marker-4", "borders"])
def test_a_large_radiograph_suffers_as_much_as_a_small_one(name, side):
    """Reduced to what a network gets, both have changed alike."""
    large, small = radiograph(1344, 1344), radiograph(side, side)

    of_large = difference(reduced(corrupt(large, NAMED[name], "a.png"), side), reduced(large, side))
    of_small = difference(corrupt(small, NAMED[name], "a.png"), small)

    assert of_large == pytest.approx(of_small, rel=0.2)


def hidden(name):
    """Where a mask lies on an image that has its own median in the middle alone."""
    grey = np.full((100, 200), 90, dtype=np.uint8)
    grey[::2] = 110
    grey[25:75, 25:175] = 100
    return (corrupt(grey, NAMED[name], "a.png") == 100) & (grey != 100)


def test_masks_lie_where_markers_and_borders_are_and_have_the_median_of_the_rest():
    marker, corners, borders = (hidden(name) for name in ("marker-5", "corners", "borders"))

    assert marker.sum() == 2 * 25 * 25
    assert marker[:25, :25].all()
    assert marker[:25, -25:].all()
    assert corners.sum() == 4 * 15 * 15
    assert all(corners[row, column] for row in (0, -1) for column in (0, -1))
    assert borders.sum() == 100 * 200 - 84 * 184
    assert not borders[8:-8, 8:-8].any()
