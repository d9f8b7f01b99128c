"""Reports in a real Chromium; every test also proves that its page was quiet: no error, no request beyond the file."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from cxrkit.report import write
from cxrkit.rundir import RunDirectory

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1280, "height": 900}

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the machine has it: none is downloaded."""
    program = os.environ.get("CXRKIT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = f"no Chromium: none of {', '.join(NAMES)} is on the PATH, and CXRKIT_CHROMIUM names none"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium refuses its sandbox to root, as in a container
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=not root)
        yield browser
        browser.close()


class Watch:
    """Notes what a page must not do."""

    def __init__(self, context: BrowserContext) -> None:
        self.noted: list[str] = []
        context.on("page", self._follow)

    def _follow(self, page: Page) -> None:
        page.on("console", lambda message: self.noted.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.noted.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self._request(request.url, page.url))

    def _dismiss(self, dialog) -> None:
        self.noted.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, url: str, opened: str) -> None:
        itself = url.startswith("file:") and opened in {"about:blank", url}
        if not itself and not url.startswith(("data:", "blob:")):
            self.noted.append(f"request: {url}")


@pytest.fixture
def watched(browser: Browser) -> Iterator[Callable[..., tuple[Page, Watch]]]:
    """Give ``watched(path, **context)``: the opened page and what was noted of it."""
    contexts = []

    def opened(path: Path, **options) -> tuple[Page, Watch]:
        context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light"} | options)
        contexts.append(context)
        watch = Watch(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(path.as_uri())
        return page, watch

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def show(watched) -> Iterator[Open]:
    """Give ``show(path, **context) -> Page``; what the pages did that they must not fails the test at its end."""
    watches = []

    def shown(path: Path, **options) -> Page:
        page, watch = watched(path, **options)
        watches.append(watch)
        return page

    yield shown
    assert [note for watch in watches for note in watch.noted] == []


@pytest.fixture(scope="session")
def report_of(tmp_path_factory) -> Callable[[RunDirectory], Path]:
    """Give ``report_of(run)``, which writes the page of a run."""

    def written(run: RunDirectory) -> Path:
        (path,), warnings = write([run], tmp_path_factory.mktemp("page"), ("html",), strict_pdf=False)
        assert warnings == []
        return path

    return written


@pytest.fixture(scope="session")
def report(report_of, finished_run) -> Path:
    """The page of ``finished_run``."""
    return report_of(finished_run)


@pytest.fixture(scope="session")
def full_report(report_of, full_run) -> Path:
    """The page of ``full_run``."""
    return report_of(full_run)


def findings(page: Page, *, rules: Sequence[str] = (), without: Sequence[str] = (), within: str = "html") -> list[str]:
    """What axe-core finds that is serious or critical: rule, what is wrong, and the first place."""
    options: dict[str, object] = {
        "resultTypes": ["violations"],
        "rules": {rule: {"enabled": False} for rule in without},
    }
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = Axe().run(page, within, options).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, in {len(one['nodes'])} places): {one['help']}: {one['nodes'][0]['html'][:200]}"
        f" {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.fixture(scope="session")
def barriers() -> Callable[..., list[str]]:
    """Give ``barriers(page, rules=…, without=…, within=…)``, see :func:`findings`."""
    return findings
