"""The colours of models stay apart for colour-blind readers, and stand out from both papers."""

from itertools import combinations

import numpy as np
import pytest

from cxrkit.report.drawn import palette

# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])
APART = 20  # CIE 1976 colour difference; 2.3 is just noticeable
CONTRAST = 3  # WCAG 2.1, 1.4.11, for graphics
OF_TEXT = 4.5
APPEARANCES = ("light", "dark")


def linear(colour):
    shares = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    x, y, z = (
        np.cbrt(one) if one > 216 / 24389 else (24389 / 27 * one + 16) / 116 for one in TO_XYZ @ rgb.clip(0, 1) / WHITE
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other):
    dark, light = sorted(TO_XYZ[1] @ linear(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def test_the_measures_are_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("appearance", [0, 1], ids=APPEARANCES)
def test_every_two_models_are_told_apart(appearance, sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(pair[appearance])) for pair in palette.MODELS]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) >= APART


def test_red_and_green_of_one_lightness_would_not_do():
    seen = [lab(np.array(SIGHT["deuteranopia"]) @ linear(colour)) for colour in ("#a84b4b", "#6f6f3a")]
    assert np.linalg.norm(seen[0] - seen[1]) < APART


@pytest.mark.parametrize("appearance", [0, 1], ids=APPEARANCES)
def test_models_and_text_stand_out_from_the_paper(appearance):
    paper = palette.PAPER[appearance]
    assert min(contrast(pair[appearance], paper) for pair in palette.MODELS) >= CONTRAST
    assert min(contrast(pair[appearance], paper) for pair in (palette.INK, palette.MUTED)) >= OF_TEXT


def test_a_model_has_a_shape_and_a_dash_of_its_own_too():
    looks = {(palette.of_model(one), str(palette.dash(one)), palette.marker(one)) for one in range(18)}
    assert len(looks) == 18
    assert len({palette.marker(one) for one in range(6)}) == 6


def test_the_theme_changes_tags_and_no_names():
    ours = palette.of_model(0)
    svg = f'<text style="fill: {ours}">{ours} &lt;{ours}&gt;</text>'
    assert palette.themed(svg) == f'<text style="fill: var(--m0)">{ours} &lt;{ours}&gt;</text>'
