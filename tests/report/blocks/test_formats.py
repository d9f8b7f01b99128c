"""What holds for a report that shows everything there is: every chapter in every format, and nothing where it lacks."""

from pypdf import PdfReader

CHAPTERS = [
    "Summary",
    "Side by side",
    "Results on the test set",
    "Curves on the test set",
    "Other thresholds on the test set",
    "Probabilities on the test set",
    "Prevalence and use on the test set",
    "Internal and external",
    "Robustness",
    "Error analysis",
    "Checks of the activation maps",
    "Images and patients",
    "Models",
    "Training",
    "Computing and versions",
    "Intended use and limitations",
    "Glossary",
    "Appendix A: CLAIM 2024",
    "Appendix B: STARD-AI",
    "Appendix C: TRIPOD+AI",
]


def test_every_chapter_is_in_every_format_in_order(full):
    assert full.page.headings("h2") == CHAPTERS
    lines = [line for line, below in zip(full.lines, full.lines[1:], strict=False) if below.startswith("=====")]
    assert lines == [title.upper() for title in CHAPTERS]
    text = " ".join(" ".join(page.extract_text().split()) for page in PdfReader(full.pdf).pages)
    for title in CHAPTERS:
        assert title in text


def test_no_chapter_of_the_text_is_empty(full):
    for place, line in enumerate(full.lines[:-2]):
        if line.startswith("====="):
            assert any(full.lines[place + 1 : place + 4])


def test_html_is_balanced_with_unique_identifiers_and_described_drawings(full):
    page = full.page
    assert (page.open, page.unbalanced) == ([], [])
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    drawings = [attributes for _, attributes in page.tags if attributes.get("class") == "drawing"]
    assert len(drawings) >= 10
    assert all(attributes["aria-label"] for attributes in drawings)


def test_no_line_of_the_text_is_wider_than_100_columns(full):
    assert max(map(len, full.lines)) <= 100


def test_words_of_wide_tables_are_not_broken_in_the_text(full):
    heads = [
        line for line in full.lines if line.startswith("Model  ") and "Sensitivity" in line and "Threshold" in line
    ]
    assert heads
    assert all("AUC" in line or "Specificity" in line for line in heads)


def test_figures_of_other_units_and_recalibrations_do_not_get_into_the_main_table(full):
    rows = [row for row in full.rows if row[0] == "Sensitivity" and len(row) == 4]
    assert rows
    assert not [row for row in rows if "98.1%" in row[1] or "88.7%" in row[1]]  # prior-corrected, by patient
    assert not [row for row in full.rows if row[0].startswith(("Calibration", "LR", "True positives"))]


def test_tables_of_thresholds_say_where_they_come_from_with_their_own_interval(full):
    origin = "each chosen on 80 images of the validation set for the largest sum of sensitivity and specificity"
    assert "Thresholds: scratch 0.431 (95% interval 0.371 to 0.511), transfer 0.481" in full.text
    assert origin in full.text
    short = "Thresholds with their own intervals: scratch 0.431 (0.371 to 0.511), transfer 0.481 (0.421 to 0.561)"
    assert full.text.count(short) >= 6
    assert "how far another validation set of this size would move it" in full.text


def test_tables_say_what_stands_for_a_model_of_several_trainings(full):
    assert "scratch is the mean logit of its 3 trainings (seeds 0, 1 and 2)." in full.text
    assert "both is an ensemble of scratch and transfer: the mean of their logits." in full.text


def test_the_members_of_an_ensemble_are_listed_with_their_weights(full):
    assert ["both", "scratch", "0.500", "the mean of their logits"] in full.rows
    assert ["", "transfer", "0.500", ""] in full.rows


def test_every_new_term_is_in_the_glossary(full):
    glossary = full.text[full.text.index("GLOSSARY ====") :]
    for term in ("Uncertain zone", "Temperature scaling", "Prior-corrected", "By patient", "Seed", "Ensemble", "LR+"):
        assert f" {term}: " in glossary
    for term in ("Non-inferiority", "Heterogeneity", "Shortcut", "Drift", "Pointing game", "Net benefit"):
        assert f" {term}: " in glossary
    assert "Score, decision" not in glossary  # no model here is one
