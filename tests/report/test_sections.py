"""Sections that plugins add to a report: chosen by name, checked before any work, and never the end of a report."""

import dataclasses
from base64 import b64decode, b64encode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxrkit import discovery, sections
from cxrkit.api import Figure, Predictions, ReportFigure, ReportSection, Threshold
from cxrkit.records import FigureRecord, Metrics, SectionRecord
from cxrkit.report.chapters import added
from cxrkit.report.content import Pictures, Table, Text
from cxrkit.report.house import House
from cxrkit.report.reading import read
from cxrkit.report.writing import write

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><rect width="80" height="20"/></svg>'
STRANGER = """
    import cxrkit
    from cxrkit.api import ReportedStudy, ReportFigure, ReportSection

    SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><rect width="80" height="20"/></svg>'


    def note(study: ReportedStudy, *, word: str = "Cohort", times: int = 1) -> ReportSection:
        \"\"\"Write a word.\"\"\"
        print("printed by the plugin")
        rows = tuple((model.name, f"{model.predictions['test'].score.size}") for model in study.models)
        figure = ReportFigure(SVG, caption="A <b>bar</b>, n = 240", alt="one bar")
        return ReportSection("Note of <ours>", ((word + " ") * times,), ("Model", "n"), rows, (figure,))


    def broken(study: ReportedStudy) -> ReportSection:
        raise ValueError("no\\nluck")


    def wrong(study: ReportedStudy) -> ReportSection:
        return "a section"


    class Interrupting(Exception):
        def __str__(self):
            raise KeyboardInterrupt


    def interrupting(study: ReportedStudy) -> ReportSection:
        raise Interrupting


    def half(study: ReportedStudy) -> ReportSection:
        return ReportSection("Half", ("caf\\udce9",))


    @cxrkit.hookimpl
    def cxrkit_register_report_sections():
        return {
            "cohort-note": note, "broken": broken, "wrong": wrong, "interrupting": interrupting, "half": half
        }
"""


@pytest.fixture
def chosen(install):
    """Choose sections of a stranger's distribution by name."""
    install("acme-sections", STRANGER)
    registry = discovery.load("cxrkit", strict=True).report_sections
    return lambda *names: [(registry.get(name, "here"), {}) for name in names]


@pytest.fixture(scope="module")
def results(finished_run):
    return read([finished_run])


def png(width=40, height=20):
    buffer = BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


# ── What a maker is given and returns ─────────────────────────────────────────────────────────────────────────────────


def told(study):
    """Keep what a maker was given."""
    told.study = study
    return ReportSection("Kept")


def test_a_maker_sees_the_whole_study(results, chosen):
    (component, _), *_ = chosen("cohort-note")
    made, warnings = added.of_plugins(results, [(dataclasses.replace(component, factory=told), {})])
    assert ([one.title for one in made], warnings) == (["Kept"], [])
    study = told.study
    assert (study.class_names, study.positive, study.level) == (("NORMAL", "PNEUMONIA"), "PNEUMONIA", 0.95)
    assert study.sets == ("test",)
    assert [model.name for model in study.models] == ["scratch", "transfer"]
    first = study.models[0]
    assert isinstance(first.threshold, Threshold)
    assert first.threshold.value == results.tasks[0].info.threshold.value
    assert list(first.predictions) == ["val", "test"]
    found = first.predictions["test"]
    assert isinstance(found, Predictions)
    assert found is first.predictions["test"]  # read once
    recorded = results.tasks[0].figure("roc_auc")
    (auc,) = [
        one for one in first.figures["test"] if (one.metric, one.subgroup, one.class_name) == ("roc_auc", None, None)
    ]
    assert isinstance(auc, Figure)
    assert (auc.value, auc.low, auc.method, auc.n) == (recorded.value, recorded.low, recorded.method, recorded.n)


def test_a_maker_can_change_nothing(results, chosen):
    (component, _), *_ = chosen("cohort-note")
    added.of_plugins(results, [(dataclasses.replace(component, factory=told), {})])
    model = told.study.models[0]
    with pytest.raises(ValueError, match="read-only"):
        model.predictions["test"].probabilities[0] = 1
    with pytest.raises(TypeError):
        model.figures["test"] = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.name = "mine"
    with pytest.raises(KeyError, match="nowhere"):
        model.predictions["nowhere"]


class Markup(str):
    """A text that a page would take for a part of itself."""

    __slots__ = ()

    def __html__(self):
        return self


HALF = "caf\udce9"
MARKUP = Markup("<script>")


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        (ReportSection(HALF), "returned a section with the title 'caf\\udce9', a text is needed"),
        (ReportSection(MARKUP), "returned a section with the title '<script>', a text is needed"),
        *[
            (
                ReportSection("T", **{name: (text,)}, **rest),
                f"returned a section whose {name} are {(text,)!r}, a tuple of texts is needed",
            )
            for name, rest in (("paragraphs", {}), ("columns", {"rows": (("1",),)}))
            for text in (HALF, MARKUP)
        ],
        *[
            (
                ReportSection("T", (), ("a",), ((text,),)),
                f"returned a table whose row 1 is {(text,)!r}, 1 texts are needed",
            )
            for text in (HALF, MARKUP)
        ],
        *[
            (
                ReportSection("T", figures=(ReportFigure(SVG, **({"caption": "c", "alt": "a"} | {name: text})),)),
                f"returned a section whose figure 1 has the {name} {text!r}, a text is needed",
            )
            for name in ("caption", "alt")
            for text in (HALF, MARKUP)
        ],
        ("text", "returned str, a ReportSection is needed"),
        (ReportSection(" "), "returned a section with the title ' ', a text is needed"),
        (ReportSection("T", "abc"), "returned a section whose paragraphs are 'abc', a tuple of texts is needed"),
        (ReportSection("T", (), ("a", "b"), (("1",),)), "returned a table whose row 1 is ('1',), 2 texts are needed"),
        (ReportSection("T", (), ("a",), ((1,),)), "returned a table whose row 1 is (1,), 1 texts are needed"),
        (
            ReportSection("T", (), ("a",), (row for row in (("1",),))),
            "returned a section whose rows are generator, a tuple is needed",
        ),
        (ReportSection("T", figures=None), "returned a section whose figures are NoneType, a tuple is needed"),
        (ReportSection("T", figures=("x",)), "returned a section whose figure 1 is str, a ReportFigure is needed"),
        (
            ReportSection("T", figures=(ReportFigure(SVG, "c", ""),)),
            "returned a section whose figure 1 has the alt '', a text is needed",
        ),
        (
            ReportSection("T", figures=(ReportFigure(b"GIF89a", "c", "a"),)),
            "returned a section whose figure 1 is no such picture, allowed are PNG, JPEG and SVG files of at most 2 MB",
        ),
    ],
)
def test_what_is_no_section_is_told(section, fault):
    assert sections.fault(section) == fault


@pytest.mark.parametrize("image", [SVG, png()], ids=["svg", "png"])
def test_a_section_of_everything_is_one(image):
    figure = ReportFigure(image, "c", "a")
    assert sections.fault(ReportSection("T", ("p",), ("a", np.str_("b")), (("1", "2"),), (figure,))) is None


# ── In the report ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_section_stands_before_the_images_in_every_format(finished_run, chosen, tmp_path, page_of, capsys):
    paths, warnings = write(
        [finished_run], tmp_path, ("html", "txt"), strict_pdf=True, house=House(sections=tuple(chosen("cohort-note")))
    )
    assert warnings == []
    assert "printed by the plugin" not in capsys.readouterr().out
    page, lines = page_of(paths[0]), paths[1].read_text(encoding="utf-8")
    titles = page.headings("h2")
    assert titles[titles.index("Images and patients") - 1] == "Note of &lt;ours&gt;"
    assert ["●scratch", "240"] in page.rows or ["scratch", "240"] in page.rows
    (picture,) = [attributes for tag, attributes in page.tags if tag == "img" and attributes["alt"] == "one bar"]
    assert b64decode(picture["src"].removeprefix("data:image/svg+xml;base64,")) == SVG
    assert "A <b>bar</b>, n = 240" in page.text
    assert "NOTE OF <OURS>" in lines
    assert "Figure: A <b>bar</b>, n = 240 one bar" in lines


def test_sections_that_fail_are_left_out_and_named(results, chosen):
    made, warnings = added.of_plugins(results, chosen("broken", "cohort-note", "wrong", "interrupting", "half"))
    assert [one.title for one in made] == ["Note of <ours>"]
    by = '(plugin "extra" of acme-sections 1.2, cxrkit_register_report_sections)'
    assert warnings == [
        f'report section "broken" {by} failed (ValueError: no luck); the report is written without it',
        f'report section "wrong" {by} returned str, a ReportSection is needed; the report is written without it',
        f'report section "interrupting" {by} failed (Interrupting); the report is written without it',
        (
            f"report section \"half\" {by} returned a section whose paragraphs are ('caf\\udce9',), a tuple of texts "
            "is needed; the report is written without it"
        ),
    ]


def test_a_metric_reporters_section_may_have_pictures(results):
    figure = FigureRecord(image=b64encode(png()), caption="c", alt="a")
    record = SectionRecord(
        set="test", title="Extra", paragraphs=["One."], columns=["a"], rows=[["1"]], figures=[figure]
    )
    task = results.tasks[0]
    written = task.metrics.model_copy(update={"sections": [record]}).model_dump_json(by_alias=True)
    metrics = Metrics.model_validate_json(written)
    changed = dataclasses.replace(results, tasks=(dataclasses.replace(task, metrics=metrics),))
    (section,) = added.of_reporters(changed)
    assert [type(block) for block in section.blocks[1:]] == [Text, Table, Pictures]
    (picture,) = section.blocks[-1].pictures
    assert (picture.content, picture.media_type, picture.alt) == (png(), "image/png", "a")
