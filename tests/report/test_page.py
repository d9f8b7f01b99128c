"""What the page on screen has around its chapters, and that paper has nothing of it."""

import re
from dataclasses import replace

import pytest

from cxrkit.report.compose import compose
from cxrkit.report.content import Cell, Column, Section, Table
from cxrkit.report.formats import html
from cxrkit.report.reading import read


@pytest.fixture(scope="module")
def report(finished_run):
    return compose(read([finished_run]))


@pytest.fixture(scope="module")
def page(report):
    return html.render(report)


@pytest.fixture(scope="module")
def paper(report):
    return html.render(report, printed=True)


def test_only_tables_whose_rows_stand_alone_are_sortable(page):
    tags = re.findall(r'<table aria-label="([^"]*)"( class="sortable")?>', page)
    sortable = {name for name, marked in tags if marked}
    fixed = {name for name, marked in tags if not marked}
    assert {"Each class on the test set", "Operating points: what they turn into on the test set"} & sortable
    assert {"The most important figures on the test set, with 95% intervals", "Versions and hardware"} <= fixed


def test_a_row_without_a_name_has_no_empty_head(report):
    columns = (Column("", numeric=False), Column("n"))
    table = Table("Rows", columns, ((Cell("a"), Cell("1")), (Cell(""), Cell("2"))))
    page = html.render(replace(report, sections=(Section("one", "One", (table,)),)))
    assert not re.search(r"<th[^>]*></th>", page)
    assert page.count('scope="row"') == 1


def test_the_contents_link_to_every_chapter_and_are_open_without_javascript(page, report):
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert '<details class="contents-list" open>' in contents
    assert re.findall(r'href="#([^"]+)"', contents) == [section.name for section in report.sections]


def test_the_theme_follows_the_reader_until_one_is_chosen(page):
    assert '<div class="themes" role="group" aria-label="Colours of the page" hidden>' in page
    assert '@media screen and (prefers-color-scheme: dark) { :root:not([data-theme="light"])' in page
    assert '@media screen { :root[data-theme="dark"]' in page


def test_the_browser_is_told_to_ask_for_nothing(page):
    assert "default-src 'none'; img-src data:; font-src data:;" in page
    assert "base-uri 'none'; form-action 'none'" in page


def test_each_script_stands_alone_so_that_an_error_in_one_stops_no_other(page):
    assert page.count('"use strict";') == page.count("<script>") == 5


def test_the_report_of_several_runs_is_of_the_day_when_the_last_one_finished(finished_run):
    results = read([finished_run])
    (run,) = results.sources
    days = [run.info.model_copy(update={"finished": f"2026-03-0{day}T12:00:00+00:00"}) for day in (1, 3, 2)]
    report = compose(replace(results, sources=tuple(replace(run, info=info) for info in days)))
    assert (report.head.date, report.head.created) == ("3 March 2026", "2026-03-03T12:00:00+00:00")


def test_paper_has_no_script_and_no_control(paper):
    for element in ("<script", "<button", "<input", "<details", "Content-Security-Policy"):
        assert element not in paper
