"""The page as a whole: quiet, readable in light and dark, on a narrow screen, on paper, and without JavaScript."""

import pytest
from playwright.sync_api import expect

NARROW = {"width": 375, "height": 812}
WHITE = "rgb(255, 255, 255)"

SORT_ALL = """() => {
  const wrong = [];
  for (const table of document.querySelectorAll("table.sortable")) {
    const before = [...table.tBodies[0].rows];
    for (const button of table.querySelectorAll("thead button")) {
      for (let turn = 0; turn < 3; turn++) button.click();
      const same = before.every((row, place) => row === table.tBodies[0].rows[place]);
      if (!same) wrong.push(table.getAttribute("aria-label") + ": " + button.textContent);
    }
  }
  return wrong;
}"""


def background(page) -> str:
    """The colour behind the text."""
    return page.evaluate(
        "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor"
    ).replace("rgba(0, 0, 0, 0)", "")


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(…)`` by WCAG 2."""
    channels = [int(one) / 255 for one in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(page) -> float:
    """Of text to what is behind it, by WCAG 2."""
    pair = sorted(map(luminance, (background(page), page.evaluate("getComputedStyle(document.body).color"))))
    return (pair[1] + 0.05) / (pair[0] + 0.05)


def unseen(page, selector) -> list[str]:
    """What fits a selector and takes no room or is hidden."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)]
        .filter(one => !one.checkVisibility({visibilityProperty: true, opacityProperty: true})
          || !one.getBoundingClientRect().width || !one.getBoundingClientRect().height)
        .map(one => one.outerHTML.slice(0, 200))""",
        selector,
    )


def seen(page, selector) -> list[str]:
    """What fits a selector and is seen."""
    return [
        one.evaluate("one => one.outerHTML.slice(0, 200)") for one in page.locator(f"{selector} >> visible=true").all()
    ]


# ── Quiet ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_page_must_not_do_is_noted(watched, tmp_path):
    bad = tmp_path / "bad.html"
    script = "console.error('no'); alert(1); throw Error('lost')"
    bad.write_text(f"<link rel=icon href=data:,><img src=other.png><script>{script}</script>", encoding="utf-8")
    _, watch = watched(bad)
    assert {"request", "dialog", "error", "console error"} <= {note.split(":")[0] for note in watch.noted}


def test_a_page_asks_for_nothing_but_itself(show, full_report):
    page = show(full_report)
    page.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    page.mouse.wheel(0, 100_000)
    page.wait_for_load_state("networkidle")
    broken = page.evaluate("[...document.images].filter(one => one.src && one.complete && !one.naturalWidth).length")
    assert broken == 0


# ── For everyone ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_axe_finds_no_serious_barrier(show, full_report, barriers):
    assert barriers(show(full_report), without=["color-contrast"]) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_text_too_faint(show, full_report, barriers, scheme):
    page = show(full_report, color_scheme=scheme)
    # Measuring contrast takes long; the rows of a table and the cases of a gallery are alike.
    page.evaluate(
        "document.querySelectorAll('.table tr:nth-child(n+5), .case:nth-child(n+3)').forEach(one => one.remove())"
    )
    assert barriers(page, rules=["color-contrast"]) == []


def test_axe_finds_no_serious_barrier_on_a_narrow_screen(show, full_report, barriers):
    page = show(full_report, viewport=NARROW)
    assert barriers(page, without=["color-contrast"]) == []  # the colours are those of the wide screen


def test_axe_finds_what_is_wrong(show, tmp_path, barriers):
    bad = tmp_path / "bad.html"
    bad.write_text("<title>x</title><main><p style='color: #bbb'>faint</p><img src='data:,'></main>", encoding="utf-8")
    found = {note.split()[0] for note in barriers(show(bad))}
    assert {"color-contrast", "image-alt", "html-has-lang"} <= found


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_sortable_table_of_a_full_report_comes_back_as_it_was(show, full_report):
    page = show(full_report)
    tables = page.locator("table.sortable")
    assert tables.count() > 5
    assert page.evaluate(SORT_ALL) == []


# ── Light and dark ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_follows_the_system_into_the_dark(show, full_report):
    light, dark = show(full_report), show(full_report, color_scheme="dark")
    assert luminance(background(light)) > 0.9
    assert luminance(background(dark)) < 0.03
    assert contrast(light) > 7
    assert contrast(dark) > 7


def test_the_reader_chooses_the_theme_and_it_is_kept(show, full_report):
    page = show(full_report)
    page.get_by_role("button", name="dark").click()
    assert luminance(background(page)) < 0.03
    assert page.get_by_role("button", name="dark").get_attribute("aria-pressed") == "true"
    page.reload()
    assert luminance(background(page)) < 0.03
    page.get_by_role("button", name="light").click()
    page.emulate_media(color_scheme="dark")
    assert luminance(background(page)) > 0.9
    page.get_by_role("button", name="auto").click()
    assert luminance(background(page)) < 0.03


# ── Narrow and printed ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [375, 320])
def test_nothing_scrolls_sideways_on_a_narrow_screen(show, full_report, width):
    page = show(full_report, viewport={"width": width, "height": 700})
    assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") <= 0
    page.locator(".contents summary").click()
    assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") <= 0


def test_the_contents_of_a_narrow_screen_fold_lead_to_a_chapter_and_close(show, full_report):
    page = show(full_report, viewport=NARROW)
    link = page.locator(".contents a[href='#glossary']")
    assert not link.is_visible()
    page.locator(".contents summary").press("Enter")
    link.click()
    assert not link.is_visible()
    # What sticks to the top must not lie over the heading that was jumped to.
    expect(page.locator("#glossary h2")).to_be_in_viewport()
    bar, heading = page.locator(".contents").bounding_box(), page.locator("#glossary h2").bounding_box()
    assert bar["y"] + bar["height"] <= heading["y"] + heading["height"] - 10
    assert 0 <= heading["y"] < NARROW["height"]


def test_on_paper_nothing_sticks_nothing_is_left_out_and_no_control_is_seen(show, full_report):
    page = show(full_report, color_scheme="dark")
    page.emulate_media(media="print")
    sticking = page.evaluate(
        """[...document.querySelectorAll("body *")].filter(one => one.checkVisibility()
        && ["sticky", "fixed"].includes(getComputedStyle(one).position)).map(one => one.outerHTML.slice(0, 200))"""
    )
    assert sticking == []
    assert luminance(background(page) or WHITE) > 0.9
    assert unseen(page, "main > section, main h2, main h3, main table, figure.plot, article.case") == []
    assert (
        seen(page, "input")
        == seen(page, "select")
        == seen(page, "article button")
        == seen(page, ".explorer button")
        == []
    )


# ── Without JavaScript ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1280, 375])
def test_without_javascript_everything_is_seen_and_no_control_is_dead(show, full_report, width):
    page = show(full_report, java_script_enabled=False, viewport={"width": width, "height": 812})
    everything = (
        "main > section, main h2, main h3, main table, main p.note, figure.plot, article.case, article img, .terms dt"
    )
    assert unseen(page, everything) == []
    assert seen(page, "button") == seen(page, "input") == seen(page, "select") == seen(page, "dialog") == []
    assert page.locator(".contents a").first.is_visible()
    assert page.locator("section.model .exploratory").first.is_hidden()
    assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") <= 0
