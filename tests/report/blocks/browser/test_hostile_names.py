"""Names that hold markup and commands do nothing in a browser but stand there."""

import pytest


@pytest.fixture(scope="module")
def hostile_report(report_of, hostile_run):
    return report_of(hostile_run.run)


@pytest.fixture
def page(show, hostile_report):
    return show(hostile_report)


def test_names_are_text_and_nothing_else(page, hostile_run):
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("[onerror]").count() == 0
    assert page.title().startswith(f"Title {hostile_run.hostile}")
    assert hostile_run.hostile in page.locator("h1").inner_text()
    assert hostile_run.hostile in page.locator("section#summary").inner_text()


def test_explorer_filters_and_viewer_work_with_any_name(page, hostile_run):
    models = page.locator(".explorer section.model")
    names = models.evaluate_all("all => all.map(one => one.dataset.model.trim())")
    assert names == [hostile_run.task.split("\n")[0], hostile_run.second]
    models.first.locator("input.threshold-exact").fill("0.25")
    assert models.first.locator(".exploratory").is_visible()
    cases = page.locator("article.case")
    every = cases.count()
    choice = page.locator(".viewer-filters [name=subgroup-pathogen]")
    value = choice.locator("option").last.get_attribute("value")
    assert hostile_run.hostile in value
    choice.select_option(value)
    assert 0 < page.locator("article.case:visible").count() < every
    page.locator("article.case:visible button.open").first.press("Enter")
    assert hostile_run.hostile in page.locator(".viewer-title .name").inner_text()
    assert hostile_run.hostile in page.locator("dialog.viewer .viewer-facts").inner_text()
    page.keyboard.press("j")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [1280, 375])
def test_long_names_do_not_widen_the_page(show, hostile_report, width):
    page = show(hostile_report, viewport={"width": width, "height": 812})
    overflow = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    page.locator("article.case button.open").first.press("Enter")
    assert page.evaluate("document.querySelector('dialog.viewer').scrollWidth") <= width
    assert page.locator(".viewer-side").evaluate("one => one.scrollWidth - one.clientWidth") <= 0
