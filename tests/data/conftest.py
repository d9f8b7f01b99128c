import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrkit import discovery
from cxrkit.data.watching import Watch
from cxrkit.registry import Registry

_numbers = count()


def image(number: int, size: int = 16) -> Image.Image:
    """An image that no other number has."""
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (size, size), dtype=np.uint8))


@pytest.fixture(scope="session")
def datasets() -> Registry:
    return discovery.load("cxrkit").datasets


@pytest.fixture
def folders(tmp_path) -> Callable[[Mapping[str, int]], Path]:
    """Write PNG images that all differ: folder, possibly with a pattern of the name, to how many."""

    def written(tree: Mapping[str, int]) -> Path:
        for pattern, images in tree.items():
            for number in range(1, images + 1):
                path = tmp_path / "set" / (pattern.format(number) if "{" in pattern else f"{pattern}/{number}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                image(next(_numbers)).save(path)
        return tmp_path / "set"

    return written


@pytest.fixture
def real_data():
    if "CXRKIT_TEST_DATA" not in os.environ:
        pytest.skip("CXRKIT_TEST_DATA names no folder")
    return Path(os.environ["CXRKIT_TEST_DATA"]).resolve()


class Web:
    """A web server on the loopback that serves one file, as well or as badly as a test asks.

    Attributes:
        content: of the file, wherever it is asked for.
        etag, modified: its headers, left out where None.
        ranges: whether requests for a part are heeded; "blindly" means without a look at If-Range.
        breaks: after how many bytes each of the next answers breaks off.
        hangs: after how many bytes an answer stays open until the test is over.
        statuses: of the next answers, in place of the file.
        redirects: path → where it leads.
        length: whether answers tell how long they are.
        part: what answers say of their place in the file, in place of the truth.
        asked: the headers of each request, with its path under "path".
    """

    def __init__(self):
        self.content = b""
        self.etag, self.modified = '"1"', None
        self.ranges = True
        self.breaks, self.statuses, self.redirects = [], [], {}
        self.hangs, self.over = None, threading.Event()
        self.length = True
        self.part = None
        self.asked = []
        self.url = ""

    def answer(self, handler):
        self.asked.append({"path": handler.path, **{key.lower(): value for key, value in handler.headers.items()}})
        if handler.path in self.redirects:
            return self._status(handler, 302, {"Location": self.redirects[handler.path]})
        if self.statuses:
            return self._status(handler, self.statuses.pop(0))
        start = self._start(handler)
        if start and start >= len(self.content):
            return self._status(handler, 416)
        headers = {"ETag": self.etag, "Last-Modified": self.modified}
        if self.length:
            headers["Content-Length"] = str(len(self.content) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        if self.part:
            headers["Content-Range"] = self.part
        handler.send_response(206 if start else 200)
        for key, value in headers.items():
            if value:
                handler.send_header(key, value)
        handler.end_headers()
        rest = self.content[start:]
        if self.hangs:
            handler.wfile.write(rest[: self.hangs])
            return self.over.wait(60)
        handler.wfile.write(rest[: self.breaks.pop(0)] if self.breaks else rest)
        return None

    def _start(self, handler):
        asked = handler.headers.get("Range")
        same = handler.headers.get("If-Range") in (self.etag, self.modified)
        return int(asked[6:-1]) if asked and (self.ranges == "blindly" or (self.ranges and same)) else 0

    @staticmethod
    def _status(handler, code, headers=None):
        handler.send_response(code)
        for key, value in (headers or {}).items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@pytest.fixture
def web(monkeypatch):
    """A :class:`Web` at work, and transfers that do not wait between attempts."""
    served = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("cxrkit.data.transfers.PAUSE", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.over.set()
    server.shutdown()
    server.server_close()


class Heard:
    """A :class:`cxrkit.data.watching.Watch` that keeps what it hears."""

    def __init__(self):
        self.steps, self.said = [], []
        self.watch = Watch(lambda *step: self.steps.append(step), self.said.append)


@pytest.fixture
def heard():
    return Heard()
