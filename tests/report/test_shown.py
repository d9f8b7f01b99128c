"""Sample images and augmentation in the report, and as figures: what a reader sees of what was trained on."""

import csv
import json
import re
import shutil
from html import unescape
from io import BytesIO

import pytest
from click.testing import CliRunner
from PIL import Image

from cxrkit.cli import cli
from cxrkit.config.schema import AugmentationTable
from cxrkit.errors import InputError
from cxrkit.records import AugmentationPreviews
from cxrkit.report.chapters.shown import preview_tiles, steps
from cxrkit.report.compose import compose
from cxrkit.report.content import Case, Tiles, View
from cxrkit.report.drawn import panels, tiles
from cxrkit.report.drawn.drawing import TALLEST
from cxrkit.report.reading import read
from cxrkit.rundir import RunDirectory


@pytest.fixture(scope="module")
def shown_run(make_run, show_images):
    run = make_run(cams=False)
    show_images(run)
    return run


@pytest.fixture
def copied(shown_run, tmp_path):
    return RunDirectory(shutil.copytree(shown_run.root, tmp_path / "run"))


def blocks(run):
    return {
        block.name: block
        for section in compose(read([run])).sections
        for block in section.blocks
        if isinstance(block, Tiles)
    }


def test_a_flip_is_told_where_there_is_one(shown_run):
    preview = AugmentationPreviews.read(shown_run.previews).previews[0]
    for probability in (0.5, 0):
        preview.settings["horizontal_flip"] = probability
        (block,) = preview_tiles(shown_run, 0, preview, ["scratch"], "any")
        assert ("with it the heart to the other side" in block.caption) is (probability > 0)
        assert ("dextrocardia" in block.reading) is (probability > 0)
        assert block.caption.startswith("The augmentation of scratch: a cut-out of 70% to 100% of the image's area")
        assert "turned by up to 10° either way" in block.caption


def test_every_step_is_told_in_words():
    table = AugmentationTable(zoom=0.1, elastic=30, contrast=0.2, brightness=0.25, rotation=5, horizontal_flip=0)
    assert steps(table) == [
        "a cut-out of 8% to 100% of the image's area, stretched to the input's size",
        "turned by up to 5° either way",
        "enlarged or reduced by up to 10%",
        "deformed elastically (strength 30 pixels)",
        "contrast up or down by up to 20%",
        "brightness up or down by up to 25%",
    ]
    assert steps(AugmentationTable(random_resized_crop=False, horizontal_flip=0)) == []


def test_a_run_from_before_has_neither(finished_run, tmp_path):
    assert not finished_run.samples.exists()
    assert blocks(finished_run) == {}
    done = CliRunner().invoke(
        cli, ["plot", str(finished_run.root), "--output", str(tmp_path), "--figure", "data-samples"]
    )
    assert done.exit_code == 2
    assert '--figure: there is no figure "data-samples"' in done.stderr


def test_pictures_that_are_gone_are_left_out(copied):
    copied.view(0, 0, 2).unlink()
    shutil.rmtree(copied.thumbnail("").parent)
    found = blocks(copied)
    assert found.keys() == {"training-augmentation"}
    assert [len(row.tiles) for row in found["training-augmentation"].rows] == [2, 3]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("samples.json", lambda found: found["images"][0].update(sha256="../../secret"), "images.0.sha256"),
        (
            "augmentation/index.json",
            lambda found: found["previews"][0]["settings"].update(rotation="<b>"),
            "settings.rotation: Input should be a valid number",
        ),
    ],
)
def test_a_file_that_says_something_else_is_refused_by_name(copied, name, change, message):
    path = copied.root / name
    found = json.loads(path.read_bytes())
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: .*{re.escape(message)}"):
        blocks(copied)


def test_names_are_text_and_nothing_else(hostile_run, tmp_path):
    found = blocks(hostile_run.run)
    assert hostile_run.hostile in found["data-samples"].rows[0].tiles[0].caption
    figure = tiles.plot(found["data-samples"]).drawing
    svg = figure.file("svg", 183, 72).decode()
    assert "<img" not in svg
    assert "p0 <img src=x" in unescape(svg)


def test_the_figures_hold_the_pictures_of_the_run_and_their_words(shown_run, tmp_path):
    names = [part for name in ("data-samples", "training-augmentation") for part in ("--figure", name)]
    done = CliRunner().invoke(
        cli, ["plot", str(shown_run.root), "--output", str(tmp_path), *names, "--format", "png", "--dpi", "72"]
    )
    assert done.exit_code == 0, done.output
    with (tmp_path / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["figure"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"data-samples", "training-augmentation"}
    assert all(row["width_mm"] == "183" and row["caption"] and row["alternative_text"] for row in rows.values())
    block = blocks(shown_run)["data-samples"]
    with Image.open(tmp_path / "data-samples.png") as drawn, Image.open(BytesIO(block.rows[0].tiles[0].picture)) as own:
        left, top = 2, round(tiles.TITLE * 72) + 2
        side = round(tiles._side(183 / 25.4, 2) * 72)
        shown = drawn.convert("L").crop((left, top, left + side - 4, top + round(side * 0.75) - 4))
        expected = own.convert("L").resize(shown.size)
    difference = [abs(a - b) for a, b in zip(shown.tobytes(), expected.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 12


# ── A page ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def case(models, *, upright):
    size = (200, 260) if upright else (260, 200)
    buffer = BytesIO()
    Image.new("L", size).save(buffer, "JPEG")
    views = tuple(
        View(f"m{one}", one, "p 0.1", "NORMAL", wrong=True, overlay=buffer.getvalue()) for one in range(models)
    )
    return Case("a.jpeg", "p", "PNEUMONIA", (), "false negative", "Missed", views, picture=buffer.getvalue())


@pytest.mark.parametrize("models", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("upright", [False, True])
def test_maps_fit_a_page_at_every_width_of_a_journal(models, upright):
    cases = panels._fitting([case(models, upright=upright)] * panels.MOST)
    assert len(cases) >= 3
    drawing = panels.drawing(cases)
    assert drawing.size[1] <= TALLEST
    for width in (89, 140, 183):
        assert drawing.height(width / 25.4) <= TALLEST


@pytest.mark.parametrize(("rows", "tiles_of_a_row"), [(6, 4), (4, 5), (70, 1), (40, 12)])
def test_small_pictures_fit_a_page_at_every_width_of_a_journal(shown_run, rows, tiles_of_a_row):
    (row, *_) = blocks(shown_run)["data-samples"].rows
    long = type(row)(row.title, (row.tiles[0],) * tiles_of_a_row)
    drawing = tiles.drawing((long,) * rows)
    for width in (89, 140, 183, 400):
        assert 0 < drawing.height(width / 25.4) <= TALLEST
