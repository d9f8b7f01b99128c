"""The cases: filtered by who was wrong, outcome and subgroup, and looked at one by one with the keyboard alone."""

import pytest
from playwright.sync_api import expect

from cxrkit.report.compose import compose
from cxrkit.report.content import Gallery
from cxrkit.report.reading import read

FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def cases(finished_run):
    """The cases of the galleries, in their order."""
    blocks = [block for section in compose(read([finished_run])).sections for block in section.blocks]
    return [case for block in blocks if isinstance(block, Gallery) for case in block.cases]


@pytest.fixture
def page(show, report):
    return show(report)


def tab_to(page, selector, most=400):
    """Press Tab until what has the focus fits a selector."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"{FOCUSED}.matches({selector!r})"):
            return
    pytest.fail(f"{selector} is not reached by {most} tabs")


def shown_images(page) -> list[str]:
    return page.locator("article.case:visible").evaluate_all("all => all.map(one => one.dataset.image)")


def filters(page, name):
    return page.locator(f".viewer-filters [name={name}]")


def shown(page) -> str:
    """The image that the viewer shows."""
    return page.locator("dialog.viewer .viewer-title .name").inner_text()


def style(page, selector, name) -> str:
    return page.locator(selector).evaluate(f"one => getComputedStyle(one).{name}")


def test_the_viewer_is_used_by_keyboard_alone(page, cases):
    page.locator("nav a[href='#errors']").press("Enter")
    tab_to(page, "article.case button.open")
    page.keyboard.press("Enter")
    assert page.locator("dialog.viewer").is_visible()
    assert shown(page) == cases[0].image
    page.keyboard.press("ArrowRight")
    assert shown(page) == cases[1].image
    page.keyboard.press("j")
    assert shown(page) == cases[2].image
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == cases[-1].image, "from the first on to the last"
    page.keyboard.press("Escape")
    assert not page.locator("dialog.viewer").is_visible()
    assert page.evaluate(f"{FOCUSED}.closest('article').dataset.image") == cases[-1].image
    assert page.evaluate(f"{FOCUSED}.matches('button.open')")


def test_zoom_opacity_and_map_are_reached_by_keyboard(page):
    page.locator("article.case button.open").first.press("Enter")
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.locator(".viewer-zoom .reset").inner_text() == "156%"
    assert "scale(1.5625)" in page.locator(".viewer-layers").get_attribute("style")
    page.keyboard.press("ArrowRight")
    assert "translate(-" in page.locator(".viewer-layers").get_attribute("style"), "arrows move a zoomed image"
    page.keyboard.press("0")
    assert page.locator(".viewer-zoom .reset").inner_text() == "100%"
    tab_to(page, "input[name=opacity]", 20)
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert style(page, ".viewer-overlay", "opacity") == "0.6"
    page.keyboard.press("m")
    assert not page.locator(".viewer-overlay").is_visible()
    assert page.locator(".viewer-image").is_visible()


def test_the_focus_stays_within_the_open_viewer(page):
    page.locator("article.case button.open").first.press("Enter")
    for _ in range(25):
        page.keyboard.press("Tab")
        assert page.evaluate(f"{FOCUSED} === document.body || !!{FOCUSED}.closest('dialog.viewer')")


def test_image_and_map_are_those_of_the_case_in_their_own_shape(page, cases):
    with_maps = next(number for number, case in enumerate(cases) if any(view.overlay for view in case.views))
    article = page.locator("article.case").nth(with_maps)
    article.locator("button.open").click()
    assert page.locator(".viewer-image").get_attribute("src") == article.locator("figure.image img").get_attribute(
        "src"
    )
    choice = page.locator("dialog.viewer select[name=overlay]")
    for view in (view for view in cases[with_maps].views if view.overlay):
        choice.select_option(str(view.model))
        overlay = article.locator(f"figure.view[data-model='{view.model}'] img").get_attribute("src")
        assert page.locator(".viewer-overlay").get_attribute("src") == overlay
    for layer in (".viewer-image", ".viewer-overlay"):
        assert style(page, layer, "objectFit") == "contain"


def test_each_filter_shows_the_cases_that_it_says(page, cases):
    everything = [case.image for case in cases]
    assert shown_images(page) == everything
    outcome = [case.image for case in cases if case.outcome == "false negative"]
    filters(page, "outcome").select_option("false negative")
    assert shown_images(page) == outcome
    wrong = [case.image for case in cases if case.outcome == "false negative" and case.views[0].wrong]
    filters(page, "model").select_option(str(cases[0].views[0].model))
    assert shown_images(page) == wrong
    assert page.locator(".viewer-count").inner_text() == f"{len(wrong)} of {len(cases)} cases"
    page.locator(".viewer-filters .clear").click()
    expect(page.locator(".viewer-count")).to_have_text(f"{len(cases)} of {len(cases)} cases")
    assert shown_images(page) == everything


def test_a_subgroup_and_a_search_filter_too_and_the_viewer_goes_through_what_is_left(page, cases):
    virus = [case.image for case in cases if dict(case.subgroups)["pathogen"] == "virus"]
    assert 0 < len(virus) < len(cases)
    filters(page, "subgroup-pathogen").select_option("virus")
    assert shown_images(page) == virus
    page.locator("article.case:visible button.open").first.press("Enter")
    for image in (*virus[1:], virus[0]):
        page.keyboard.press("j")
        assert shown(page) == image
    page.keyboard.press("Escape")
    filters(page, "search").fill(virus[0].upper())
    assert shown_images(page) == [virus[0]]
    filters(page, "search").fill("no such image")
    assert shown_images(page) == []
    assert page.locator(".viewer-count").inner_text() == f"0 of {len(cases)} cases"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_no_serious_barrier_in_the_open_viewer(show, report, barriers, scheme, width):
    page = show(report, color_scheme=scheme, viewport={"width": width, "height": 812})
    page.locator("article.case button.open").first.press("Enter")
    assert barriers(page, within="dialog.viewer") == []
    box = page.locator("dialog.viewer").bounding_box()
    assert box["width"] <= width
    assert page.locator(".viewer-side").evaluate("one => one.scrollWidth <= one.clientWidth")
