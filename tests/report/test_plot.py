"""``cxrkit plot``: the figures of a report as files for a paper."""

import csv
import re
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader

from cxrkit.api import Predictions, Threshold
from cxrkit.cli import cli
from cxrkit.evaluation import curves
from cxrkit.report.drawn import marks
from cxrkit.report.drawn import ranking as figures
from cxrkit.report.drawn.drawing import Drawing, shown, within_page
from cxrkit.report.inputs import Reading, from_predictions
from cxrkit.report.reading import read

HOSTILE = ("N<b>o</b>\nr$m_al$", "P&$\\frac{1}{2}$<svg/onload=x>")


def plot(*arguments):
    return CliRunner().invoke(cli, ["plot", *map(str, arguments)])


def index(folder):
    with (folder / "figures.csv").open(encoding="utf-8", newline="") as file:
        return {row["figure"]: row for row in csv.DictReader(file)}


def texts(path):
    return ["".join(node.itertext()) for node in ET.parse(path).iter() if node.tag.endswith("}text")]


@pytest.fixture(scope="module")
def plotted(finished_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plotted")
    done = plot(finished_run.root, "--output", folder, "--format", "svg")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(folder / "figures.csv")
    return folder


def test_every_figure_of_the_report_is_written_and_those_it_shows_otherwise(plotted):
    expected = {
        *("glance", "subgroups-0", "curves-roc", "curves-pr", "curves-scores", "calibration-0"),
        *("utility-predictive", "utility-decision", "training-curves"),
        *("confusion-scratch", "confusion-transfer", "classes", "maps"),
    }
    rows = index(plotted)
    assert rows.keys() == expected
    assert {path.name for path in plotted.iterdir()} == {f"{name}.svg" for name in expected} | {"figures.csv"}


def test_the_index_holds_what_an_author_pastes(plotted):
    rows = index(plotted)
    roc = rows["curves-roc"]
    assert (roc["files"], roc["width_mm"], rows["glance"]["width_mm"]) == ("curves-roc.svg", "89", "183")
    assert re.search(r"n = 240 images, \d+ with PNEUMONIA and \d+ without, with 95% bands", roc["caption"])
    assert "transfer has the highest AUC, 0.9" in roc["alternative_text"]
    assert "With at most 10.0% false alarms the curves reach a sensitivity of: scratch" in roc["alternative_text"]
    assert all(row["caption"] and row["reading"] and row["alternative_text"] for row in rows.values())


def test_text_of_an_svg_is_text_in_fonts_of_journals_and_of_a_readable_size(plotted):
    for path in plotted.glob("*.svg"):
        svg = path.read_text(encoding="utf-8")
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:[\w ]*?)([\d.]+)px", svg)]
        assert sizes
        assert min(sizes) >= 6, path.name
        assert "Arial" in svg
    assert "Sensitivity: found of" in " ".join(texts(plotted / "curves-roc.svg"))
    assert any(text.startswith("transfer, AUC 0.9") for text in texts(plotted / "curves-roc.svg"))


def test_shares_and_counts_of_the_confusion_matrix_are_drawn(plotted, finished_run):
    task = read([finished_run]).task("scratch")
    matrix = task.confusion().matrix
    drawn = texts(plotted / "confusion-scratch.svg")
    for row in matrix:
        for number in row:
            assert str(number) in drawn
            assert f"{100 * number / sum(row):.1f}%" in drawn


@pytest.mark.parametrize(
    ("width", "millimetres"), [("single", 89), ("one-and-half", 140), ("double", 183), ("75.5", 75.5)]
)
def test_a_png_has_the_width_and_resolution_asked_for(finished_run, tmp_path, width, millimetres):
    arguments = ("--figure", "curves-roc", "--figure", "utility-decision", "--format", "png", "--dpi", "150")
    done = plot(finished_run.root, "--output", tmp_path, "--width", width, *arguments)
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"curves-roc.png", "utility-decision.png", "figures.csv"}
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert image.width == pytest.approx(millimetres / 25.4 * 150, abs=1)
            assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)


def test_figures_lie_in_the_run_and_replace_older_ones(make_run):
    run = make_run(trained=False)
    folder = run.report / "figures"
    folder.mkdir(parents=True)
    (folder / "curves-pr.pdf").write_bytes(b"an older one")
    done = plot(run.root, "--figure", "curves-pr", "--format", "pdf")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(folder / "curves-pr.pdf"), str(folder / "figures.csv")]
    (page,) = PdfReader(folder / "curves-pr.pdf").pages
    assert "Recall (sensitivity): found of" in page.extract_text()
    assert float(page.mediabox.width) == pytest.approx(89 / 25.4 * 72, abs=0.1)
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        (descendant,) = (one.get_object() for one in font["/DescendantFonts"])
        assert "/FontFile2" in descendant["/FontDescriptor"].get_object()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--figure", "curve-roc"], '--figure: there is no figure "curve-roc", did you mean "curves-roc"?'),
        (["--figure", "9"], '--figure: there is no figure "9", allowed are calibration-0, classes, confusion-scratch'),
        (["--width", "wide"], '"wide" is no width, allowed are single (89 mm), one-and-half (140 mm), double (183 mm)'),
        (["--width", "nan"], '"nan" is no width'),
        (["--width", "20"], '"20" is no width'),
        (["--dpi", "9999"], "9999 is not in the range 72<=x<=1200"),
        (["--format", "gif"], "'gif' is not one of 'png', 'svg', 'pdf'"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence_and_status_2(finished_run, tmp_path, arguments, message):
    done = plot(finished_run.root, "--output", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_names_are_shown_as_they_are_in_one_line(make_run, tmp_path):
    run = make_run(classes=HOSTILE, skill={"scratch": 1.2, "transfer": 2.6})
    names = ("curves-roc", "confusion-scratch", "classes", "maps")
    chosen = [part for name in names for part in ("--figure", name)]
    done = plot(run.root, "--output", tmp_path, *chosen, "--format", "svg", "--format", "png", "--dpi", "72")
    assert done.exit_code == 0, done.output
    for path in tmp_path.glob("*.svg"):
        elements = {node.tag.rpartition("}")[2] for node in ET.parse(path).iter()}
        assert not elements & {"b", "script", "foreignObject"}
    assert "N<b>o</b> r$m…" in texts(tmp_path / "confusion-scratch.svg")
    assert shown(HOSTILE[1], 18) in " ".join(texts(tmp_path / "curves-roc.svg"))
    assert index(tmp_path)["curves-roc"]["caption"].count(HOSTILE[1]) == 1


def test_a_name_of_a_figure_cannot_break_the_page_it_stands_in():
    svg = Drawing((2, 1), lambda figure: figure.text(0, 0, 'id="x" url(#a) _name')).svg
    assert '>id="x" url(#a) _name<' in within_page(svg, "one").replace("&quot;", '"')


def test_models_whose_names_begin_with_an_underscore_are_named(make_run, tmp_path):
    run = make_run(skill={"_scratch": 1.7, "_transfer": 2.6}, trained=False)
    done = plot(run.root, "--output", tmp_path, "--format", "svg", "--figure", "curves-roc")
    assert done.exit_code == 0, done.output
    assert any(text.startswith("_transfer, AUC") for text in texts(tmp_path / "curves-roc.svg"))


# ── Curves ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_operating_points_and_their_intervals_are_drawn_where_they_are(finished_run):
    lines = painted(figures.roc, finished_run).axes[0].lines
    for task in read([finished_run]).tasks:
        sensitivity, specificity = task.figure("sensitivity"), task.figure("specificity")
        ends = {(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in lines if len(line.get_xdata()) < 3}
        assert ((1 - specificity.value,), (sensitivity.value,)) in ends
        assert ((1 - specificity.value,) * 2, (sensitivity.low, sensitivity.high)) in ends
        assert ((1 - specificity.low, 1 - specificity.high), (sensitivity.value,) * 2) in ends


def test_the_corner_is_enlarged_where_all_curves_crowd_in_it(finished_run, make_run):
    crowded = make_run(skill={"one": 6.0, "two": 6.4}, trained=False)
    assert painted(figures.roc, finished_run).axes[0].child_axes == []
    for draw in (figures.roc, figures.precision_recall):
        (inset,) = painted(draw, crowded).axes[0].child_axes
        assert inset.get_ylim()[0] > 0.65


def painted(draw, run):
    figure = Figure(figsize=(3.45, 3.3))
    draw(read([run]).tasks, "test").paint(figure)
    return figure


@pytest.mark.parametrize(
    ("scores", "threshold", "limits"),
    [
        ([0.5, 1.0, 2.5], 1.5, (0.5, 2.5)),
        ([0.0, 1.0, 2.0], 4.0, (0.0, 4.2)),
        ([0.0, 1.0, 2.0], -2.0, (-2.2, 2.0)),
        ([0.0, 1.0, 2.0], 1.7e308, (0.0, 2.0)),
        ([3.0], 3.0, (2.7, 3.3)),
        ([3.0], 1.0, (0.9, 3.0)),
        ([0.0], 0.0, (-1.0, 1.0)),
        ([0.0, 5e-324, 2e-323], 0.0, (-1.0, 1.0)),
        ([1e15, 1e15 + 0.125], 1e15, (9e14, 1.1e15)),
        ([-1e300, 1e300], -1e300, (-1e300, 1e300)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_scores_are_drawn_whatever_their_range(tmp_path, scores, threshold, limits):
    rows = [f"{number},{('NORMAL', 'TB')[number % 2]},{scores[number % len(scores)]!r}" for number in range(24)]
    (tmp_path / "vendor.csv").write_text("\n".join(["image,label,score", *rows]), encoding="utf-8")
    reading = Reading(positive="TB", threshold=threshold)
    run = from_predictions([tmp_path / "vendor.csv"], tmp_path / "run", reading, warn=pytest.fail)
    drawn = figures.scores(read([run]).tasks, "test")
    assert drawn.svg
    figure = Figure(figsize=drawn.size)
    drawn.paint(figure)
    np.testing.assert_allclose(figure.axes[0].get_xlim(), limits)


def test_a_thinned_line_keeps_its_ends_and_its_course():
    x = np.linspace(0, 1, 20_000)
    y = np.sqrt(1 - (1 - x) ** 2)
    kept = marks.thinned(x, y)
    assert len(kept[0]) < 300
    assert (kept[0][0], kept[1][0], kept[0][-1], kept[1][-1]) == (x[0], y[0], x[-1], y[-1])
    upwards, sideways = np.abs(np.interp(x, *kept) - y), np.abs(np.interp(y, *reversed(kept)) - x)
    assert np.minimum(upwards, sideways).max() < 1 / marks.RESOLUTION


def test_a_line_without_any_figure_gets_no_name_and_does_no_harm():
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    tasks = [SimpleNamespace(number=number, name=f"model {number}") for number in range(2)]
    lines = [marks.Line(tasks[0], [0, 0.5, 1], [0.2, 0.3, 0.2]), marks.Line(tasks[1], [0, 1], [np.nan, np.nan])]
    for one in lines:
        axes.plot(one.x, one.y)
    assert marks.name_lines(axes, lines)
    assert [text.get_text() for text in axes.texts] == ["model 0"]


def test_figures_of_a_hundred_thousand_images_stay_thin(make_run):
    run = make_run(trained=False)
    truth = np.arange(100_000) % 3 == 0
    for seed, (task, skill) in enumerate((("scratch", 1.5), ("transfer", 2.5))):
        score = 1 / (1 + np.exp(-np.random.default_rng(seed).normal(skill * (2 * truth - 1), 1.5)))
        found = Predictions(
            task=task,
            set="test",
            condition=None,
            class_names=("NORMAL", "PNEUMONIA"),
            positive="PNEUMONIA",
            images=np.arange(100_000).astype(str),
            patients=np.arange(100_000).astype(str),
            labels=truth.astype(np.int64),
            status=np.full(100_000, "ok"),
            probabilities=np.stack([1 - score, score], axis=1),
            logits=None,
        )
        curves.write(run.task(task).curves, found, Threshold(0.5, "fixed"), 0.95, resamples=2)
    tasks = read([run]).tasks
    for draw in (figures.roc, figures.precision_recall):
        drawn = draw(tasks, "test").svg
        assert len(drawn) < 120_000, draw.__name__
        assert max(len(path) for path in re.findall(r' d="([^"]*)"', drawn)) < 30_000
