"""A user's folder of templates: checked before any work, kept in a sandbox, and used in every page."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from markupsafe import escape

from cxrkit.cli import cli
from cxrkit.errors import InputError
from cxrkit.report.content import Cell, Column, Logo, Report, Section, Table, Text, TitleBlock
from cxrkit.report.drawn import palette
from cxrkit.report.formats import html, templates
from cxrkit.report.house import House
from cxrkit.report.writing import write

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
EXTENDS = '{% extends "cxrkit/report.html.j2" %}\n'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><rect width="80" height="20"/></svg>'

NO_PLACE = "takes the place of no template of cxrkit and nothing here uses it"


@pytest.fixture
def folder(tmp_path):
    """Write templates and tell where."""

    def written(**files) -> Path:
        for name, text in files.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        return tmp_path / "house"

    return written


def report(title="A <b>study</b>", logo=None) -> Report:
    table = Table("Figures", (Column("Model", numeric=False), Column("AUC")), ((Cell("<i>net</i>"), Cell("0.91")),))
    head = TitleBlock(
        title=title,
        authors=("A. Author",),
        institution="Ashford",
        date="1 March 2026",
        created="2026-03-01",
        made_with="cxrkit",
        subtitle="",
        facts=(),
        notice="",
        logo=logo,
    )
    return Report(head, (Section("results", "Results", (Text("All is well."), table)),), ("net",))


def problems(folder, name="tasks.toml: report.templates"):
    return [one.replace(str(folder), "house") for one in templates.problems(folder, name)]


def failing(folder, **options):
    with pytest.raises(InputError) as error:
        html.render(report(), templates=folder, **options)
    (problem,) = error.value.problems
    return problem.replace(str(folder), "house")


# ── The documentation ─────────────────────────────────────────────────────────────────────────────────────────────────


def documented(heading):
    """The files that an example of the page shows, by name."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^`house/([^`]+)`[^\n]*\n\n```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))


def test_the_documented_colours_and_footer_are_on_the_page_and_on_paper(folder, finished_run, tmp_path):
    house = folder(**documented("House colours and a footer"))
    assert templates.problems(house, "here") == []
    (path,), warnings = write(
        [finished_run],
        tmp_path,
        ("html",),
        strict_pdf=True,
        house=House(templates=house, logo=Logo(SVG, "image/svg+xml")),
    )
    page = path.read_text(encoding="utf-8")
    assert warnings == []
    assert page.index("border-color: #8a1c4a; }") > page.index(".scroll")  # after cxrkit's own style
    assert re.search(r'<footer class="house">.* · internal</footer>', page)
    assert 'src="data:image/svg+xml;base64,' in page
    printed = html.render(report(), printed=True, templates=house)
    assert "border-color: #8a1c4a; }" in printed
    assert '<footer class="house">Ashford · 1 March 2026 · internal</footer>' in printed


def test_the_documented_frame_holds_cxrkits_own_table(folder):
    house = folder(**documented("Another look of one kind of block"))
    assert templates.problems(house, "here") == []
    page = html.render(report(), templates=house)
    framed = page[page.index('<div class="framed"') :]
    assert "<caption" in framed or 'aria-label="Figures"' in framed
    assert "&lt;i&gt;net&lt;/i&gt;" in framed
    assert '<p class="note">1 rows</p>' in framed


def test_everything_that_a_template_is_given_is_documented():
    ours = {name for name in html.own_names() if name.endswith(".j2")}
    assert {name for name in ours if f"`{name}`" not in PAGE} == set()
    text = html.environment(None).loader.get_source(html.environment(None), "report.html.j2")[0]
    assert {name for name in re.findall(r"{% block (\w+)", text) if f"`{name}`" not in PAGE} == set()
    plain = html.environment(None).overlay()
    own = set(plain.filters) - set(type(plain)().filters)
    assert {name for name in own if f"`{name}`" not in PAGE} == set()


def test_blocks_of_the_page_can_be_filled_one_by_one(folder):
    house = folder(
        **{
            "report.html.j2": EXTENDS
            + "{% block header %}<h1>{{ report.head.title }}</h1>{% endblock %}"
            + "{% block section %}{% if section.name == 'results' %}<p>left out</p>{% endif %}{% endblock %}"
            + "{% block contents %}{% endblock %}"
        }
    )
    assert problems(house) == []
    page = html.render(report(), templates=house)
    assert "<h1>A &lt;b&gt;study&lt;/b&gt;</h1>" in page  # escaped in a user's template as well
    assert "<p>left out</p>" in page
    assert "All is well." not in page
    assert "<nav" not in page


# ── Checked before any work ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"README.md": "Ours."}, "tasks.toml: report.templates: house holds no template, one such as report.html.j2"),
        (
            {"blocks/tabel.html.j2": "x"},
            f'house/blocks/tabel.html.j2: {NO_PLACE}, did you mean "blocks/table.html.j2"?',
        ),
        ({"report.html": "x"}, f'house/report.html: {NO_PLACE}, did you mean "report.html.j2"?'),
        ({"report.html.j2": f"{EXTENDS}\n{{{{ title"}, "house/report.html.j2: line 3: unexpected end of template"),
        (
            {"blocks/text.html.j2": "{{ block.text | shout }}"},
            "house/blocks/text.html.j2: line 1: No filter named 'shout'",
        ),
        (
            {"report.html.j2": '{% extends "report.html.j2" %}'},
            'house/report.html.j2: line 1: is built of itself, cxrkit\'s own is "cxrkit/report.html.j2"',
        ),
        (
            {"report.html.j2": f"{EXTENDS}{{% block foter %}}{{% endblock %}}"},
            'house/report.html.j2: line 2: "cxrkit/report.html.j2" has no block "foter", did you mean "footer"?',
        ),
        (
            {
                "report.html.j2": f'{EXTENDS}{{% block style %}}{{{{ source("hous.css") }}}}{{% endblock %}}',
                "house.css": "",
            },
            'house/report.html.j2: line 2: no template "hous.css", did you mean "house.css"?',
        ),
        (
            {"blocks/text.html.j2": '{% include "../../etc/passwd" %}'},
            'house/blocks/text.html.j2: line 1: no template "../../etc/passwd", allowed are',
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(folder, files, problem):
    (told,) = problems(folder(**files))
    assert told.startswith(problem)


def test_no_folder_and_no_text_are_told(folder, tmp_path):
    (told,) = problems(tmp_path / "none")
    assert told == "tasks.toml: report.templates: house is no folder, one with templates is needed"
    house = folder(**{"report.css": ""})
    (house / "blocks").mkdir()
    (house / "blocks" / "text.html.j2").write_bytes(b"\xff\xfe")
    (told,) = problems(house)
    assert "house/blocks/text.html.j2: cannot be read" in told


def test_all_problems_are_told_at_once(folder):
    house = folder(**{"report.html.j2": "{% if %}", "blocks/text.html.j2": "{% endif %}"})
    assert [one.partition(":")[0] for one in problems(house)] == ["house/blocks/text.html.j2", "house/report.html.j2"]


def test_helpers_of_a_template_and_files_of_other_kinds_are_no_problem(folder):
    house = folder(
        **{
            "blocks/text.html.j2": '{% import "mine/parts.html.j2" as mine %}{{ mine.loud(block.text) }}',
            "mine/parts.html.j2": "{% macro loud(text) %}<p>{{ text | upper }}</p>{% endmacro %}",
            ".cache/old.html.j2": "{% broken",
            "README.md": "Ours.",
        }
    )
    assert problems(house) == []
    assert "<p>ALL IS WELL.</p>" in html.render(report(), templates=house)


# ── While it is shown ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n{{ block.txt }}", "line 2: 'cxrkit.report.content.Text object' has no attribute 'txt'"),
        ("{{ report.__class__ }}", "line 1: access to attribute '__class__' of 'Report' object is unsafe"),
        ("{{ ''.__class__.__mro__ }}", "line 1: access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ source.__globals__ }}", "line 1: access to attribute '__globals__' of"),
        ("{{ theme.light.update({'ink': 'red'}) }}", "line 1: access to attribute 'update' of 'dict' object is unsafe"),
        ('{% set name = "../" ~ "house.toml" %}{% include name %}', 'line 1: no template "../house.toml"'),
        ("{{ source('../' ~ 'house.toml') }}", 'line 1: no template "../house.toml"'),
        ("{{ 1 // 0 }}", "line 1: ZeroDivisionError: integer division or modulo by zero"),
        ('{% set name = "blocks/text" ~ ".html.j2" %}{% include name %}', "line 1: RecursionError: "),
    ],
)
def test_a_template_that_fails_is_named_with_line_and_reason(folder, tmp_path, text, reason):
    (tmp_path / "house.toml").write_text("secret", encoding="utf-8")
    house = folder(**{"blocks/text.html.j2": text})
    told = failing(house)
    assert told.startswith("house/blocks/text.html.j2: ")
    assert reason in told
    assert "secret" not in told
    assert palette.THEME.light["ink"] != "red"


def test_what_fails_on_paper_alone_leaves_no_half_report(folder, finished_run, tmp_path):
    house = folder(**{"blocks/text.html.j2": "{% if printed %}{{ nothing }}{% endif %}<p>{{ block.text }}</p>"})
    (house / "blocks" / "plots.html.j2").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.html\.j2: line 1: 'nothing' is undefined; docs/templates\.md says"):
        write([finished_run], tmp_path / "report", ("html", "pdf"), strict_pdf=False, house=House(templates=house))
    assert not (tmp_path / "report").exists()


def test_a_fault_of_cxrkits_own_is_not_blamed_on_the_folder(folder):
    house = folder(**{"report.css": "p { color: red; }"})
    with pytest.raises(Exception, match="has no attribute") as error:
        html.render(Report(None, (), ()), templates=house)
    assert not isinstance(error.value, InputError)


# ── The logo ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_logo_stands_in_the_head_and_says_whose_it_is(page_of, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(html.render(report(logo=Logo(SVG, "image/svg+xml"))), encoding="utf-8")
    (logo,) = [attributes for tag, attributes in page_of(path).tags if attributes.get("class") == "logo"]
    assert logo["alt"] == "Logo of Ashford"
    assert logo["src"].startswith("data:image/svg+xml;base64,")
    assert str(escape("<rect")) not in path.read_text(encoding="utf-8")  # an image, no element of the page


def test_without_a_logo_there_is_no_picture():
    assert 'class="logo"' not in html.render(report())


# ── The command line ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_takes_templates_and_logo(folder, finished_run, tmp_path):
    text = "{% block section %}{% endblock %}{% block footer %}<footer>Ours</footer>{% endblock %}"
    house = folder(**{"report.html.j2": EXTENDS + text})
    (tmp_path / "logo.svg").write_bytes(SVG)
    arguments = ["report", str(finished_run.root), "--output", str(tmp_path / "out"), "--format", "html"]
    done = CliRunner().invoke(cli, [*arguments, "--templates", str(house), "--logo", str(tmp_path / "logo.svg")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<footer>Ours</footer>" in page
    assert 'class="logo"' in page
