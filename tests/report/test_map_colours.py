"""The bar of the maps' colours shows what the overlays show."""

import re
from dataclasses import replace

import numpy as np
from PIL import Image

from cxrkit.overlay_colours import bar, blend
from cxrkit.report.compose import compose
from cxrkit.report.drawn.map_colours import STOPS, colour_bar
from cxrkit.report.formats import html, text
from cxrkit.report.reading import read


def test_nothing_lies_over_the_image_without_evidence_and_most_where_it_is_strongest():
    grey = np.array([[40, 128, 250]], np.uint8)
    assert blend(grey, np.zeros((1, 3), np.float32)).tolist() == [[[40] * 3, [128] * 3, [250] * 3]]
    brightest = np.array([252, 255, 164])  # the end of inferno
    expected = 0.35 * grey[0][:, None] + 0.65 * brightest
    assert np.abs(blend(grey, np.ones((1, 3), np.float32))[0] - expected).max() <= 1


def test_the_bar_grows_brighter_from_end_to_end_on_grey_paper():
    grey = np.asarray(Image.fromarray(bar(64)[None]).convert("L"))[0].astype(int)
    assert grey[-1] > grey[0] + 50
    assert (np.diff(grey[24:]) >= 0).all()


def test_html_and_pdf_show_the_bar_and_say_what_it_means(finished_run):
    report = compose(read([finished_run]))
    errors = next(section for section in report.sections if section.name == "errors")
    assert errors.blocks.count(colour_bar()) == 1
    alone = replace(report, sections=(replace(errors, blocks=(colour_bar(),)),))
    for printed in (False, True):
        page = html.render(alone, printed=printed)
        page = page[page.index('<figure class="colourbar"') :]
        figure = page[: page.index("</figure>")]
        assert len(re.findall(r"#[0-9a-f]{6}\b", figure)) == STOPS
        assert "0: no evidence" in figure
        assert "1: the map&#39;s own greatest value" in figure
        assert 'role="img"' in figure
    assert "no evidence" not in text.render(alone)
