"""The report of a finished run: one content, three formats, every number from the run directory's files."""

import re
from io import BytesIO
from types import SimpleNamespace

import pytest
from PIL import Image

from cxrkit.errors import InputError
from cxrkit.records import Comparison, Metrics, RunInfo, TaskInfo
from cxrkit.report import write
from cxrkit.report.compose import compose
from cxrkit.report.formats import html
from cxrkit.report.reading import read

SECTIONS = [
    "Summary",
    "Side by side",
    "Results on the test set",
    "Curves on the test set",
    "Other thresholds on the test set",
    "Probabilities on the test set",
    "Prevalence and use on the test set",
    "Error analysis",
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


@pytest.fixture(scope="module")
def written(finished_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("report")
    paths, warnings = write([finished_run], output, ("html", "txt"), strict_pdf=True)
    assert warnings == []
    return SimpleNamespace(run=finished_run, html=paths[0], txt=paths[1])


@pytest.fixture(scope="module")
def page(written, page_of):
    return page_of(written.html)


def test_the_files_are_named_as_promised(written):
    assert [path.name for path in (written.html, written.txt)] == ["report.html", "comparison_report.txt"]


def test_every_format_has_every_section_in_order(written, page):
    assert page.headings("h2") == SECTIONS
    text = written.txt.read_text(encoding="utf-8")
    places = [text.index(f"\n{title.upper()}\n=") for title in SECTIONS]
    assert places == sorted(places)


def test_html_is_balanced_and_asks_for_nothing_outside(page, written):
    assert page.open == []
    assert page.unbalanced == []
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    style = written.html.read_text(encoding="utf-8")
    assert "@import" not in style
    assert not re.search(r"url\((?!['\"]?(?:#|data:))", style)


def test_html_follows_the_reader_s_theme_and_width(page, written):
    text = written.html.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) >= 5
    for drawing in drawings:
        assert "var(--" in drawing
        assert "#1f45b5" not in drawing  # a colour of the light theme would stay light in the dark


def test_identifiers_are_unique(page):
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))


def test_every_picture_has_an_alternative_text(page):
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    drawings = [attributes for _, attributes in page.tags if attributes.get("class") == "drawing"]
    assert drawings
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawings)


def test_figures_in_the_tables_are_those_of_metrics_json(written, page):
    tasks = [Metrics.read(written.run.task(name).metrics) for name in ("scratch", "transfer")]
    shown = {row[0].strip(): row for row in page.rows if len(row) == 3}
    labels = {"roc_auc": "AUC", "sensitivity": "Sensitivity", "ppv": "PPV", "balanced_accuracy": "Balanced accuracy"}
    for metric, label in labels.items():
        for column, metrics in enumerate(tasks, start=1):
            record = only(metrics, metric)
            scale, digits = (1, 3) if metric == "roc_auc" else (100, 1)
            bounds = f"{scale * record.low:.{digits}f} to {scale * record.high:.{digits}f}"
            assert f"{scale * record.value:.{digits}f}" in shown[label][column]
            assert bounds in shown[label][column]


def only(metrics, metric):
    found = [
        record
        for record in metrics.records
        if (record.metric, record.set, record.subgroup, record.prevalence) == (metric, "test", None, None)
        and record.class_name in {None, "PNEUMONIA"}
        and (record.unit, record.calibrated) == ("image", None)
    ]
    assert len(found) == 1
    return found[0]


def test_classes_are_shown_with_their_support(written, page):
    metrics = Metrics.read(written.run.task("scratch").metrics)
    row = next(row for row in page.rows if len(row) == 6 and row[0].endswith("scratch") and row[1] == "NORMAL")
    for column, metric in enumerate(("precision", "recall", "f1"), start=2):
        record = next(
            one for one in metrics.records if (one.metric, one.set, one.class_name) == (metric, "test", "NORMAL")
        )
        assert f"{100 * record.value:.1f}%" in row[column]
    assert row[5] == str(sum(metrics.confusion[1].matrix[0]))


def test_confusion_matrices_are_shown_raw_and_normalised(written, page):
    confusion = next(one for one in Metrics.read(written.run.task("transfer").metrics).confusion if one.set == "test")
    cells = {text for row in page.rows for text in row}
    for row in confusion.matrix:
        for number in row:
            assert f"{number}{100 * number / sum(row):.1f}%" in cells


def test_the_first_page_answers_from_the_comparison(written, page):
    record = next(one for one in Comparison.read(written.run.comparison).records if not one.exploratory)
    assert record.better == "transfer"
    assert (
        f"transfer is better than scratch by AUC: the difference of transfer minus scratch is {record.difference:+.3f}"
        in (page.text)
    )
    assert f"p = {record.p_value:.3f}" in page.text


def test_the_better_model_is_marked_only_where_the_interval_excludes_0(written, page):
    records = {one.metric: one for one in Comparison.read(written.run.comparison).records}
    rows = {row[0].strip(): row for row in page.rows if len(row) == 3}
    for metric, label in (("roc_auc", "AUC"), ("sensitivity", "Sensitivity"), ("specificity", "Specificity")):
        decided = records[metric].low > 0 or records[metric].high < 0
        assert ("▲" in rows[label][1] + rows[label][2]) == decided
    assert "▲" not in rows["PPV"][1] + rows["PPV"][2]  # never compared


def test_no_difference_is_called_so(make_run, tmp_path):
    run = make_run(skill={"one": 2.0, "two": 2.0}, cams=False)
    write([run], tmp_path, ("txt",), strict_pdf=False)
    text = " ".join((tmp_path / "comparison_report.txt").read_text(encoding="utf-8").split())
    assert "No difference in AUC was shown between two and one" in text
    assert "This does not show that they are equal." in text
    assert "is better than" not in text


def test_the_threshold_is_told_with_rule_and_origin(written, page):
    threshold = TaskInfo.read(written.run.task("scratch").info).threshold
    row = next(row for row in page.rows if row[0] == "Threshold")
    assert row[1] == f"{threshold.value:.3f}{threshold.low:.3f} to {threshold.high:.3f}"
    assert f"chosen on {threshold.n} images of the validation set" in page.text
    assert "Youden's index" in page.text


def test_errors_are_counted_for_every_hundred_and_told_in_medical_terms(written, page):
    sensitivity = only(Metrics.read(written.run.task("scratch").metrics), "sensitivity")
    head = next(place for place, row in enumerate(page.rows) if "Of 100 with PNEUMONIA: missed" in row)
    row = next(row for row in page.rows[head:] if row[0].endswith("scratch"))
    assert row[1].startswith(f"{100 * (1 - sensitivity.value):.1f}")
    assert row[1].endswith(f"{100 * (1 - sensitivity.high):.1f} to {100 * (1 - sensitivity.low):.1f}")
    assert "the disease would be missed" in page.text
    assert "Of 1,000 people of whom 10.0% have PNEUMONIA (as stated in the configuration)" in page.text


def test_cases_show_image_and_every_model_s_map_in_their_aspect_ratio(page):
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    cases = [one for one in pictures if one["alt"].startswith("Chest X-ray")]
    maps = [one for one in pictures if one["alt"].startswith("Activation map")]
    assert len(cases) == 24
    assert len(maps) == 2 * len(cases)
    assert {one["src"].split(",")[0] for one in pictures} == {"data:image/jpeg;base64"}
    assert "GradCAM at layer layer4" in page.text
    assert "does not locate a lesion" in page.text


def test_large_pictures_are_embedded_at_the_size_that_is_shown(make_run):
    run = make_run()
    for path in (run.root / "images").glob("*.jpg"):
        Image.new("L", (2000, 1500)).save(path)
    report = compose(read([run]))
    pictures = [
        case.picture for section in report.sections for block in section.blocks for case in getattr(block, "cases", ())
    ]
    assert pictures
    assert {Image.open(BytesIO(picture)).size for picture in pictures} == {(320, 240)}


def test_data_flow_audit_and_versions_are_told(written, page):
    info = RunInfo.read(written.run.info)
    assert "1 truncated file" in page.text
    assert info.data.notes[0] in page.text
    assert info.data.manifest_sha256 in page.text
    assert 'file names by rule "kermany"' in page.text
    assert "torch 2.4.0" in page.text
    assert "layer4" in page.text


def test_limitations_come_from_this_run(page):
    assert "moves the heart to the other side" in page.text
    assert "If the images are that collection's" in page.text
    assert "trained with one seed" in page.text


def test_limitations_of_training_are_not_claimed_for_predictions(make_run, tmp_path):
    run = make_run(trained=False)
    write([run], tmp_path, ("txt",), strict_pdf=False)
    text = (tmp_path / "comparison_report.txt").read_text(encoding="utf-8")
    assert "heart" not in text
    assert "one seed" not in text
    assert "\nTRAINING\n" not in text


def test_a_failed_task_is_told_with_its_reason(make_run, tmp_path, page_of):
    run = make_run(failed={"broken": "epoch 3, step 17: the loss is not finite"}, cams=False)
    write([run], tmp_path, ("html",), strict_pdf=False)
    text = page_of(tmp_path / "report.html").text
    assert "Task broken gave no result: epoch 3, step 17: the loss is not finite." in text


def test_a_run_without_a_finished_task_is_an_input_error(make_run, tmp_path):
    run = make_run(skill={}, failed={"broken": "no"}, cams=False)
    with pytest.raises(InputError, match="has no finished task"):
        write([run], tmp_path / "out", ("html",), strict_pdf=False)
    assert not (tmp_path / "out").exists()


def test_text_is_at_most_100_columns_wide(written):
    lines = written.txt.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "row",
    [
        "Test accuracy",
        "NORMAL precision",
        "NORMAL recall",
        "NORMAL F1",
        "NORMAL support",
        "PNEUMONIA precision",
        "PNEUMONIA recall",
        "PNEUMONIA F1",
        "PNEUMONIA support",
        "Best validation epoch",
        "Validation accuracy at that epoch",
        "Training loss at that epoch",
        "Validation loss at that epoch",
        "Training time",
    ],
)
def test_text_has_every_row_of_a_laboratory_report(written, row):
    lines = written.txt.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(f"{row} ") for line in lines)


def test_text_has_the_improvement_with_its_interval(written):
    record = next(one for one in Comparison.read(written.run.comparison).records if one.metric == "accuracy")
    lines = written.txt.read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("Test accuracy"))
    minus = "\N{MINUS SIGN}"
    assert f"{100 * record.difference:+.1f} pp".replace("-", minus) in lines[place]
    assert f"({100 * record.low:+.1f} to {100 * record.high:+.1f})".replace("-", minus) in lines[place + 1]


def test_several_runs_stand_side_by_side_without_paired_tests(make_run, tmp_path):
    runs = [make_run(cams=False), make_run(skill={"scratch": 2.0}, cams=False, seed=1)]
    write(runs, tmp_path, ("txt",), strict_pdf=False)
    text = (tmp_path / "comparison_report.txt").read_text(encoding="utf-8")
    assert "run 1/scratch" in text
    assert "run 2/scratch" in text
    assert "Models of different runs stand side by side" in text


def test_many_models_are_set_out_one_below_the_other(make_run, tmp_path, page_of):
    names = ["none", "class-weights", "upsample", "downsample", "balanced-sampler"]
    run = make_run(skill={name: 1.6 + 0.2 * place for place, name in enumerate(names)}, cams=False)
    write([run], tmp_path, ("html", "txt"), strict_pdf=False)
    page = page_of(tmp_path / "report.html")
    headline = next(row for row in page.rows if row[:3] == ["Model", "AUC", "Sensitivity"])
    assert headline[3:] == ["Specificity", "PPV", "NPV", "Accuracy", "F1 (PNEUMONIA)", "Threshold"]
    assert max(map(len, (tmp_path / "comparison_report.txt").read_text(encoding="utf-8").splitlines())) <= 100


def test_the_same_run_gives_the_same_bytes(written):
    report = compose(read([written.run]))
    assert html.render(report) == written.html.read_text(encoding="utf-8")
