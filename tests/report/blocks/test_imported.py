"""What a report says of models that give a score or a bare decision."""


def test_figures_that_a_model_cannot_have_say_why(imported):
    row = next(row for row in imported.rows if row[0] == "AUC" and len(row) == 3)
    assert row[1].startswith("0.9")
    assert row[2] == "-decision only"
    assert "decision only: the model calls a class and gives no figure that could rank images." in imported.text


def test_limits_of_the_predictions_are_told_by_model(imported):
    assert "vendor: The model gives a score: what needs more cannot be told." in imported.text
    assert "Score, decision:" in imported.text


def test_a_bare_decision_has_no_probability_anywhere(imported):
    errors = [row for row in imported.rows if len(row) == 6 and row[0].startswith("test/")]
    assert errors
    assert {row[4] for row in errors} <= {"PNEUMONIA", "NORMAL", "PNEUMONIA ✗", "NORMAL ✗"}
    assert all(row[3].removesuffix(" ✗").replace(".", "").isdigit() for row in errors)
    assert "Under each model its score or decision" in imported.text


def test_a_score_has_a_histogram_over_its_own_range_and_a_decision_none(imported):
    drawing = imported.page.rawdata_[imported.page.rawdata_.index('id="curves-scores"') :]
    drawing = drawing[: drawing.index("</figure>")]
    assert ">vendor<" in drawing
    assert ">caller<" not in drawing
    assert "Scores that each model gives" in drawing


def test_no_chapter_of_probabilities_where_no_model_gives_any(imported):
    assert "Probabilities on the test set" not in imported.page.headings("h2")
    assert "OTHER THRESHOLDS ON THE TEST SET" not in imported.text  # the page has it, for the explorer


def test_images_without_a_result_are_counted_with_worst_case_first_and_complete_cases_beside(imported):
    place = next(number for number, row in enumerate(imported.rows) if row[1:2] == ["6 images2.5%"])
    worst, complete = imported.rows[place], imported.rows[place + 1]
    assert worst[2] == "worst case"
    assert complete[2:4] == ["complete cases", "93.4%89.0 to 96.0"]
    assert "Worst case is the primary analysis" in imported.text


def test_the_first_page_tells_of_no_threshold_of_a_model_that_decides_by_itself(imported):
    first_page = imported.text[: imported.text.index("SIDE BY SIDE ====")]
    assert "By its own decisions, caller finds" in first_page
    assert "At its threshold, vendor finds" in first_page
    thresholds = first_page[first_page.index("At which threshold:") : first_page.index("On whom:")]
    assert "vendor" in thresholds
    assert "caller" not in thresholds
