"""The report on paper: what a reader, a printer and a screen reader find in the PDF."""

from collections.abc import Iterator

import pytest
from pypdf import PdfReader

from cxrkit.records import Metrics
from cxrkit.report import write
from cxrkit.report.compose import compose
from cxrkit.report.content import Table
from cxrkit.report.formats import html, pdf
from cxrkit.report.reading import read

TITLE = "Two ways to train"


@pytest.fixture(scope="module")
def run(make_run):
    return make_run(report={"title": TITLE, "authors": ["A. Author", "B. Author"], "institution": "A Hospital"})


@pytest.fixture(scope="module")
def report(run):
    return compose(read([run]))


@pytest.fixture(scope="module")
def paper(run, tmp_path_factory):
    (path,), warnings = write([run], tmp_path_factory.mktemp("paper"), ("pdf",), strict_pdf=True)
    assert warnings == []
    assert path.name == "report.pdf"
    return PdfReader(path)


@pytest.fixture(scope="module")
def texts(paper):
    return [" ".join(page.extract_text().split()) for page in paper.pages]


@pytest.fixture(scope="module")
def tags(paper):
    return [*elements(paper.root_object["/StructTreeRoot"]["/K"])]


def elements(kids, parents=()) -> Iterator[tuple[dict, tuple[dict, ...]]]:
    """Every element of the tree of tags with those that it lies in, innermost first."""
    kids = kids.get_object()
    for kid in kids if isinstance(kids, list) else [kids]:
        element = kid.get_object()
        if isinstance(element, dict) and "/S" in element:
            yield element, parents
            if "/K" in element:
                yield from elements(element["/K"], (element, *parents))


def inside(element, name):
    """The elements of a kind directly within another."""
    kids = element["/K"].get_object()
    found = [kid.get_object() for kid in (kids if isinstance(kids, list) else [kids])]
    return [kid for kid in found if isinstance(kid, dict) and kid.get("/S") == name]


def outline(paper, entries, level=1):
    """Level, title and page, counted from 0, of every bookmark."""
    for entry in entries:
        if isinstance(entry, list):
            yield from outline(paper, entry, level + 1)
        else:
            yield level, entry.title, paper.get_destination_page_number(entry)


def x_objects(paper):
    return [one.get_object() for one in paper.pages[0]["/Resources"]["/XObject"].values()]


def test_every_page_is_a4_with_its_number_and_from_the_second_the_title(texts, paper):
    assert {tuple(round(float(side)) for side in page.mediabox[2:]) for page in paper.pages} == {(595, 842)}
    for number, text in enumerate(texts, start=1):
        assert f"{number} / {len(texts)}" in text
    assert all(TITLE in text for text in texts)


def test_each_page_is_headed_by_the_chapter_that_it_starts_with(texts, paper, report):
    chapters = [(title, page) for level, title, page in outline(paper, paper.outline) if level == 1]
    for number, text in enumerate(texts[1:], start=1):
        begun = [title for title, page in chapters if page == number]
        before = [title for title, page in chapters if page < number]
        assert any(f"{TITLE} {title} For research use only" in text for title in (*before[-1:], *begun[:1]))


def test_the_cover_says_what_was_compared_on_whom_by_whom_and_what_it_is_not(paper, texts):
    for told in (
        TITLE,
        "2 models that tell PNEUMONIA from NORMAL on chest X-rays",
        "A. Author, B. Author",
        "A Hospital · 1 March 2026 · cxrkit",
        "transfer has the highest AUC on the test set",
        "scratch",
        "240 images of",
        "For research use only. Not a medical device.",
        "Contents",
    ):
        assert told in texts[0]
    assert paper.metadata.author == "A. Author, B. Author"


def test_the_contents_lead_to_every_chapter_and_its_parts(paper, report, texts):
    links = [one.get_object() for one in paper.pages[0]["/Annots"]]
    assert {link["/Subtype"] for link in links} == {"/Link"}
    entries = [*outline(paper, paper.outline)]
    assert [title for level, title, _ in entries if level == 1] == [section.title for section in report.sections]
    assert (2, "Confusion matrices") in {(level, title) for level, title, _ in entries}
    targets = [*dict.fromkeys(link["/Dest"] for link in links)]
    pages = [paper.get_destination_page_number(paper.named_destinations[target]) for target in targets]
    assert pages == [page for *_, page in entries]
    contents = texts[0].partition("Contents")[2].replace(".", "")
    for _, title, page in entries:
        assert f"{title} {page + 1}" in " ".join(contents.split())


def test_metadata_tell_title_language_date_and_the_standard(paper):
    root = paper.root_object
    assert paper.metadata.title == TITLE
    assert paper.metadata.subject == f"{TITLE}: scratch, transfer"
    assert paper.metadata.creation_date.isoformat() == "2026-03-01T10:12:00+00:00"
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert 'pdfuaid:part="1"' in root["/Metadata"].get_object().get_data().decode()


def test_fonts_are_embedded(paper):
    fonts = [one.get_object() for one in paper.pages[0]["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        described = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert any(key.startswith("/FontFile") for key in described["/FontDescriptor"])


def test_photographs_stay_the_jpegs_they_are_and_drawings_vectors(paper, report):
    blocks = [block for section in report.sections for block in section.blocks]
    cases = [case for block in blocks for case in getattr(block, "cases", ())]
    pictures = {case.picture for case in cases} | {view.overlay for case in cases for view in case.views}
    raster = [one for one in x_objects(paper) if one["/Subtype"] == "/Image" and one["/Filter"] == "/DCTDecode"]
    assert {bytes(one._data) for one in raster} == pictures - {None}
    assert [one for one in x_objects(paper) if one["/Subtype"] == "/Form"]


def test_every_figure_has_a_description_and_its_caption_on_the_same_page(tags, report):
    figures = [(element, parents) for element, parents in tags if element["/S"] == "/Figure"]
    plots = [plot for section in report.sections for block in section.blocks for plot in getattr(block, "plots", ())]
    told = [element["/Alt"] for element, _ in figures]
    assert all(told)
    assert {plot.alt for plot in plots} <= set(told)
    captioned = 0
    for figure, parents in figures:
        captions = next((found for one in parents[:3] if (found := inside(one, "/Caption"))), [])
        captioned += bool(captions)
        assert all(caption["/Pg"] == figure["/Pg"] for caption in captions)
    assert captioned >= len(plots) + 24


def test_nothing_reaches_beyond_the_page(tags):
    for element, _ in tags:
        if element["/S"] == "/Figure":
            left, top, right, bottom = (0.75 * float(side) for side in element["/A"]["/BBox"])
            assert left >= 45
            assert right <= 595 - 45 + 1
            assert top >= 50
            assert bottom <= 842 - 50


def test_the_cells_of_a_table_name_their_heads(tags):
    heads = {element["/ID"] for element, _ in tags if element["/S"] == "/TH"}
    cells = [element for element, parents in tags if element["/S"] == "/TD" and parents[1]["/S"] == "/TBody"]
    assert len(heads) > 100
    assert all(set(cell["/A"]["/Headers"]) <= heads for cell in cells)
    assert sum(bool(cell["/A"]["/Headers"]) for cell in cells) > 0.95 * len(cells)


def test_a_broken_table_repeats_its_head_and_leaves_no_row_alone(tags, report):
    tables = [element for element, _ in tags if element["/S"] == "/Table"]
    bodies = [(table, body) for table in tables for body in inside(table, "/TBody")]
    listed = [(table, body) for table, body in bodies if len(inside(body, "/TR")) > 20]
    assert len({table["/Pg"].get_object().indirect_reference for table, _ in listed}) > 1
    assert all(inside(table, "/THead") for table, _ in listed)
    per_page = [len(inside(body, "/TR")) for _, body in bodies]
    tables = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    alone = sum(len(table.rows) == 1 for table in tables)
    assert sum(rows == 1 for rows in per_page) <= alone + 1  # one more by WeasyPrint before 70


def test_the_paper_tells_the_figures_of_metrics_json(run, texts):
    text = " ".join(texts)
    for name in ("scratch", "transfer"):
        record = next(
            one
            for one in Metrics.read(run.task(name).metrics).records
            if (one.metric, one.set, one.subgroup, one.unit) == ("roc_auc", "test", None, "image")
        )
        assert f"{record.value:.3f}" in text
        assert f"{record.low:.3f} to {record.high:.3f}" in text


@pytest.mark.slow
def test_twelve_models_endless_names_and_no_author_stay_within_the_page(make_run, tmp_path):
    names = [f"model-{number}-{'x' * 40}" for number in range(12)]
    run = make_run(
        skill={name: 1.5 + 0.1 * number for number, name in enumerate(names)},
        report={"title": "T" * 300},
        rename=lambda image: image.replace(".jpeg", f"{'y' * 90}.jpeg"),
        trained=False,
    )
    write([run], tmp_path, ("pdf",), strict_pdf=True)
    paper = PdfReader(tmp_path / "report.pdf")
    assert paper.metadata.title == "T" * 300
    for page in paper.pages:
        places = []
        page.extract_text(visitor_text=lambda text, cm, tm, *_, seen=places: seen.append((text, cm, tm)))
        starts = [tm[4] * cm[0] + cm[4] for text, cm, tm in places if text.strip() and cm[0] == 0.75]  # not in drawings
        assert min(starts) >= 45
        assert max(starts) < 595 - 45
    assert "T" * 100 not in paper.pages[3].extract_text()  # the running title is cut short


def test_a_pdf_that_takes_too_long_is_given_up_with_a_sentence(report, monkeypatch):
    monkeypatch.setattr(pdf, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(pdf, "SECONDS_PER_MEBIBYTE", 0.0)
    with pytest.raises(pdf.UnprintableError, match=r"report\.pdf: not written, WeasyPrint was not done after 0\.1 s"):
        pdf.render(report)


def test_the_time_allowed_grows_with_the_page(report):
    size = len(html.render(report, printed=True).encode())
    assert 300 < pdf._limit(size) < pdf._limit(10 * size)
