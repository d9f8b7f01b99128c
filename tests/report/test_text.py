"""The report as text: where its lines end, that it leaves nothing out, and what a page cuts off."""

import re
from dataclasses import replace

import pytest

from cxrkit.report.compose import compose
from cxrkit.report.content import Cell, Column, Section, Table
from cxrkit.report.formats import html, text
from cxrkit.report.formats.paging import on_pages
from cxrkit.report.formats.wrapping import longest_piece, wrapped
from cxrkit.report.reading import read


@pytest.fixture(scope="module")
def report(finished_run):
    return compose(read([finished_run]))


@pytest.mark.parametrize(
    ("whole", "width", "lines"),
    [
        ("AUC of 0.984 (0.973 to 0.990)", 22, ["AUC of 0.984 (0.973\N{NO-BREAK SPACE}to", "0.990)"]),
        ("wrong at 0.046 ✗", 15, ["wrong at", "0.046\N{NO-BREAK SPACE}✗"]),
        ("test/NORMAL/a-1.jpeg", 12, ["test/NORMAL/", "a-1.jpeg"]),
        ("a chest X-ray", 10, ["a chest", "X-ray"]),
        ("cross-validated", 10, ["cross-", "validated"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ],
)
def test_lines_end_where_a_reader_expects_it(whole, width, lines):
    assert wrapped(whole, width) == lines


def test_the_longest_piece_is_what_no_line_end_divides():
    assert longest_piece("test/PNEUMONIA/person1_virus_6.jpeg of 3.0 ✗") == len("person1_virus_6.jpeg")
    assert longest_piece("") == 0


def test_the_contents_name_the_line_of_each_chapter(report):
    lines = text.render(report).splitlines()
    entries = [match for line in lines if (match := re.fullmatch(r"(.*?) \.+ line (\d+)", line))]
    assert [entry[1] for entry in entries] == [section.title for section in report.sections if section.blocks]
    for entry in entries:
        assert lines[int(entry[2]) - 1] == entry[1].upper()


def test_every_case_is_told_with_what_each_model_said(report):
    told = " ".join(text.render(report).split())
    assert "Examples that every model called rightly" in told
    assert re.search(r"1\. test/\S+ Shows \w+; patient \S+, pathogen \w+\. Missed by ", told)
    assert re.search(r"scratch: NORMAL \(p 0\.\d{3}\) ✗; transfer: \w+ \(p 0\.\d{3}\)", told)
    assert "The pictures are in the HTML and PDF reports." in told


def long_table(rows):
    columns = (Column("Image", numeric=False), Column("p"))
    return Table("Every error", columns, tuple((Cell(f"image-{n}"), Cell(f"0.{n}")) for n in range(rows)), most=300)


@pytest.mark.parametrize("printed", [False, True])
def test_a_page_shows_the_first_rows_of_a_long_table_and_text_all(report, printed):
    long = replace(report, sections=(Section("errors", "Error analysis", (long_table(1001),)),))
    page = html.render(long, printed=printed)
    assert "image-299<" in page
    assert "image-300<" not in page
    assert (
        "The first 300 of 1,001 rows; comparison_report.txt, report.json and the CSV tables have all of them." in page
    )
    whole = text.render(long)
    assert "image-1000 " in whole
    assert "The first 300" not in whole


def test_a_table_that_fits_is_left_as_it_is(report):
    short = replace(report, sections=(Section("errors", "Error analysis", (long_table(300),)),))
    assert on_pages(short) == short


def test_a_detail_with_brackets_of_its_own_gets_no_second_pair(report):
    told = text.render(report)
    assert "(+" in told
    assert not re.search(r"\([^()]*\([+\N{MINUS SIGN}]\d[^()]*\)\)", told)
