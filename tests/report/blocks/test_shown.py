"""Sample images and augmentation where a reader finds them: on the page, on paper and in the text."""

import re
from itertools import pairwise

from pypdf import PdfReader


def test_samples_stand_with_the_images_and_the_augmentation_with_the_models(full):
    chapters = dict(re.findall(r'<section id="([\w-]+)">(.*?)</section>', full.page.rawdata_, re.DOTALL))
    assert 'id="data-samples"' in chapters["data"]
    assert 'id="training-augmentation"' in chapters["models"]
    assert (
        "Sample images, n = 8: at most 2 of each set and class, drawn at random by patient (seed 0)" in full.page.text
    )


def test_every_picture_says_what_is_seen(full):
    alts = [attributes.get("alt") for tag, attributes in full.page.tags if tag == "img"]
    assert all(alts)
    assert "Chest X-ray train/NORMAL/s0.jpeg, training, shows NORMAL" in alts
    assert "Chest X-ray train/NORMAL/s1.jpeg, shows NORMAL, as the network sees it plain" in alts
    assert "Chest X-ray train/NORMAL/s1.jpeg, shows NORMAL, as augmented in epoch 2 of seed 0" in alts


def test_the_text_tells_them_in_words(full):
    assert "Training, NORMAL: patient p0 and patient p1" in full.text
    assert "a cut-out of 70% to 100% of the image's area" in full.text


def test_the_pdf_leads_to_them(full):
    (_, parts) = next(
        (one, inner) for one, inner in pairwise(PdfReader(full.pdf).outline) if getattr(one, "title", None) == "Models"
    )
    assert "What augmentation makes of training images" in [part.title for part in parts]


def test_a_table_that_is_wider_than_the_screen_shows_that_it_goes_on(full):
    assert re.search(
        r"\.scroll, \.drawing \{[^}]*overflow-x: auto;[^}]*var\(--more\)[^}]*no-repeat scroll", full.page.rawdata_
    )
