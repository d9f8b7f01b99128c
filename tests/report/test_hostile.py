"""Names that hold markup, commands and control characters are shown as text, in every format."""

import csv
import json
import re
import shlex
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from cxrkit.cli import cli
from cxrkit.formats import FORMATS
from cxrkit.one_line import one_line
from cxrkit.report import write
from cxrkit.report.compose import compose
from cxrkit.report.content import Cell, Column, Gallery, Section, Table, Text
from cxrkit.report.formats import spreadsheets
from cxrkit.report.formats.pdf import render
from cxrkit.report.one_line import in_lines
from cxrkit.report.reading import read

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def written(hostile_run, tmp_path_factory, page_of):
    """The report of a run of hostile names in every format but PDF."""
    folder = tmp_path_factory.mktemp("hostile")
    _, warnings = write([hostile_run.run], folder, [name for name in FORMATS if name != "pdf"], strict_pdf=False)
    assert warnings == []
    return SimpleNamespace(folder=folder, page=page_of(folder / "report.html"), **vars(hostile_run))


def bare(text: str) -> str:
    """A text without the spaces and line ends that a layout may add."""
    return "".join(one_line(text).split())


def names(written) -> list[str]:
    """Everything that must be found in each whole report."""
    ours = written.report
    reasons = (part for pair in written.failed.items() for part in pair)
    return [
        written.task,
        written.second,
        *written.classes,
        ours["title"],
        *ours["authors"],
        ours["institution"],
        *reasons,
    ]


def test_a_text_becomes_one_line_and_the_rest_stays_the_same_object():
    assert one_line("a\r\n\x1b[31mb\u202ec") == "a [31mb c"
    unchanged = "Zurückgestellt 3\N{NO-BREAK SPACE}% \N{EN DASH} \N{BULLET}"
    assert one_line(unchanged) == unchanged
    table = Table("a\nb", (Column("c"),), ((Cell("d"), Cell("e", detail="f\tg")), (Cell("h"), Cell("i"))))
    shown = in_lines(table)
    assert (shown.caption, shown.rows[0][1].detail) == ("a b", "f g")
    assert shown.columns is table.columns
    assert shown.rows[1] is table.rows[1]
    text = Text("nothing to change")
    assert in_lines(text) is text


def test_html_holds_names_as_text_alone(written):
    page = written.page
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [one.get("type") for one in scripts] in (
        [None, "application/json", *[None] * 4],
        [None, *["application/json"] * 2, *[None] * 4],
    )
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in page.tags if attributes.get("src") == "x"]
    assert page.unbalanced == []
    for name in names(written):
        assert bare(name) in bare(page.text)
    cases = [attributes for tag, attributes in page.tags if tag == "article"]
    assert cases
    for case in cases:
        assert written.hostile in case["data-image"]
        assert written.hostile in case["data-patient"]
    assert not CONTROL.search(written.page.rawdata_)


def test_pdf_holds_names_as_text(written):
    report = compose(read([written.run]))
    chapters = tuple(in_short(one) for one in report.sections if one.name in {"summary", "results", "errors"})
    pdf = PdfReader(BytesIO(render(replace(report, sections=chapters))))
    text = bare(" ".join(page.extract_text() for page in pdf.pages))
    assert pdf.metadata.title == one_line(written.report["title"])
    for name in (written.task, written.second, written.hostile):
        assert bare(name) in text


def in_short(chapter: Section) -> Section:
    """A chapter with the first rows of its tables and the first cases of its galleries: setting all takes long."""
    blocks = (
        replace(block, rows=block.rows[:3])
        if isinstance(block, Table)
        else replace(block, cases=block.cases[:2])
        if isinstance(block, Gallery)
        else block
        for block in chapter.blocks
    )
    return replace(chapter, blocks=tuple(blocks))


def test_txt_keeps_each_name_in_its_lines(written):
    text = (written.folder / "comparison_report.txt").read_text(encoding="utf-8")
    assert not CONTROL.search(text)
    assert max(map(len, text.split("\n"))) <= 100
    for name in names(written):
        assert bare(name) in bare(text) or bare(name.upper()) in bare(text)


def test_json_holds_names_as_they_are(written):
    document = json.loads((written.folder / "report.json").read_text(encoding="utf-8"))
    assert document["head"]["title"] == written.report["title"]
    assert [model["name"] for model in document["models"]] == [written.task, written.second]
    assert document["class_names"] == list(written.classes)


def test_markdown_shows_names_and_carries_out_none(written):
    cards = sorted((written.folder / "model_cards").iterdir())
    assert len(cards) == 2
    for card in cards:
        head, body = card.read_text(encoding="utf-8").removeprefix("---\n").split("---\n", 1)
        assert not CONTROL.search(head + body)
        prose = "".join(body.split("```")[::2])  # between them is what a reader may copy into a shell
        assert not re.search(r"(?<!\\)[<$]", prose), "no element, no formula"
        command = next(line for line in body.splitlines() if line.startswith("cxrkit evaluate"))
        assert len(shlex.split(command)) == 8, "a name is one word"
    text = bare(re.sub(r"\\([^\w\s])", r"\1", "".join(card.read_text(encoding="utf-8") for card in cards)))
    assert bare(written.hostile) in text


def test_latex_gives_no_name_a_meaning(written):
    for path in sorted((written.folder / "tables").glob("*.tex")):
        text = path.read_text(encoding="ascii")
        assert not CONTROL.search(text)
        own = text.replace(r"\%", "").replace(r"\input{" + path.stem, "")
        assert path.name == "all-tables.tex" or r"\input{" not in own
        assert r"\alpha" not in own.replace(r"\textbackslash{}alpha", "")
        assert "%" not in "".join(line for line in own.splitlines() if not line.lstrip().startswith("%")).replace(
            "{!}{%", ""
        )


def test_csv_gives_names_back_and_no_spreadsheet_carries_them_out(written):
    paths = sorted((written.folder / "tables").glob("*.csv"))
    cells = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1, path.name
        cells += [cell for row in rows for cell in row]
    assert written.task in cells
    assert f"'{written.second}" in cells
    assert written.second not in cells


def test_the_terminal_is_given_no_command(written):
    done = CliRunner().invoke(cli, ["compare", str(written.run.root)])
    assert done.exit_code == 0, done.output
    assert not CONTROL.search(done.output)
    assert "[bold]" in done.output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("-1+1", "'-1+1"),
        ("\N{FULLWIDTH HYPHEN-MINUS}1", "'\N{FULLWIDTH HYPHEN-MINUS}1"),
        ("\ta", "'\ta"),
        ("a;=1+1;b", "a;'=1+1;b"),
        ('a;"@SUM(1)"', 'a;"\'@SUM(1)"'),
        ("a\n+1", "a\n'+1"),
        ("a\t=1\t=2", "a\t'=1\t'=2"),
        ("a=b; c-d", "a=b; c-d"),
        ("'quoted'", "'quoted'"),
        ("a;'b", "a;'b"),
    ],
)
def test_no_spreadsheet_of_any_language_carries_a_text_out_and_it_can_be_read_back(text, shown):
    assert spreadsheets.harmless(text) == shown
    assert spreadsheets.as_it_was(shown) == text
