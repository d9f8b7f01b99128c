"""The chapters on other images: robustness, shortcuts, external sets; the audit; the checks of the maps."""

from dataclasses import replace

from cxrkit.data import corruptions
from cxrkit.report.chapters import maps
from cxrkit.report.reading import read

CONDITIONS = corruptions.conditions(("jpeg",), (3,), shortcuts=True)


def test_robustness_tells_every_condition_with_its_setting_and_change(full):
    row = next(row for row in full.rows if row[0].startswith("JPEG 3"))
    assert row[0] == f"JPEG 3{next(one.setting for one in CONDITIONS if one.name == 'jpeg-3')}"
    assert row[1] == "0.835"
    assert row[2] == "-0.045-0.065 to -0.025"
    assert row[4] == "-9.0 pp-11.0 to -7.0"
    assert "120 images of the test set" in full.text


def test_each_corruption_has_a_panel_of_its_own(full):
    drawing = full.page.rawdata_[full.page.rawdata_.index('id="robustness-0-roc_auc"') :]
    drawing = drawing[: drawing.index("</figure>")]
    for name in ("Blur", "JPEG", "Rotation", "Noise", "Marker"):
        assert f">{name}<" in drawing


def test_a_shortcut_is_told_in_a_sentence_only_where_the_interval_excludes_0(full):
    borders = next(one.setting for one in CONDITIONS if one.name == "borders")
    used = f"With {borders}, the AUC of scratch changes by -0.041"
    assert full.text.count(used) == 2  # on the first page too
    assert "the model uses what was masked" in full.text
    level = (
        "the AUC of transfer changes by -0.004 (95% interval -0.024 to +0.016): no use of what was masked was shown."
    )
    assert full.text.count(level) == 1


def test_the_change_to_an_external_set_is_shown_side_by_side(full):
    row = next(row for row in full.rows if row[:2] == ["scratch", "Specificity"] and len(row) == 6)
    assert row[2:] == ["84.0%", "66.7%", "-17.3 pp-19.3 to -15.3", "< 0.001"]
    assert "On the external set hospital_b, scratch loses AUC (0.880 to 0.819) and specificity (84.0% to 66.7%)." in (
        full.text
    )


def test_the_audit_tells_leaks_duplicates_conflicts_and_drift(full):
    for sentence in (
        "The training and the test images share 2 patients, e.g. bacteria-7",
        "splits would share patients (training and test 170); that key is wrong",
        "The training and the test images share 1 identical file",
        "Near duplicates between training and test: 1 pair, 1 of different patients and 1 with different labels.",
        "Nearly the same picture has different labels: train/a.jpeg (NORMAL) and test/b.jpeg (PNEUMONIA).",
    ):
        assert sentence in full.text
    assert ["Mean grey value (0 to 255)", "NORMAL", "validation", "test", "122", "140", "+0.41", "< 0.001"] in full.rows


def test_the_audit_sets_image_statistics_out_by_split_and_class(full):
    row = next(row for row in full.rows if row[:3] == ["Training", "NORMAL", "100"])
    assert row[3:] == ["1,5601,404 to 1,716", "1.201.08 to 1.32", "122110 to 134", "5.0%"]


def test_a_class_that_the_look_of_a_file_gives_away_reaches_the_first_page(full):
    first_page = full.text[: full.text.index("SIDE BY SIDE ====")]
    assert "Size alone tells PNEUMONIA from the rest with an AUC of 0.871." in first_page
    row = next(row for row in full.rows if row[0] == "size and shape")
    assert row[1].startswith("0.884")
    assert row[2] == "0.8710.830 to 0.900"


def test_maps_that_do_not_depend_on_what_was_learnt_are_told(full):
    assert "That the activation maps of scratch depend on what it has learnt was not shown" in full.text
    assert "transfer: with random parameters the maps look different, as they should" in full.text
    assert ["transfer", "fc", "0.8100.770 to 0.840"] in full.rows
    assert ["", "conv1", "0.1100.070 to 0.140"] in full.rows


def test_where_maps_point_is_set_against_chance(full):
    row = next(row for row in full.rows if row[-1:] == ["9.2%"])
    assert row == ["scratch", "61.7%49.0 to 73.0", "28.4%24.0 to 33.0", "9.2%"]


def test_models_are_asked_whether_they_look_at_the_same_places(full):
    assert ["transfer and scratch", "0.4630.410 to 0.520"] in full.rows


def test_models_whose_maps_are_often_empty_are_told_on_the_first_page(full):
    results = read([full.run])
    task = next(task for task in results.tasks if task.checks)
    assert "hold no evidence" not in " ".join(maps.doubtful(results))
    often = replace(task, checks=task.checks.model_copy(update={"empty": 20, "n": 60}))
    (told,) = [one for one in maps.doubtful(replace(results, tasks=(often,))) if "hold no evidence" in one]
    assert f"(20 of 60 for {task.name})" in told
