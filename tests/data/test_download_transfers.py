"""Transfers against a real server on the loopback."""

import random
import socket
from types import SimpleNamespace

import pytest

from cxrkit.data import transfers
from cxrkit.errors import InputError, RunError

CONTENT = random.Random(0).randbytes(1_000_000)
OTHER = random.Random(1).randbytes(1_000_000)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / ".set.archive"


@pytest.fixture
def fetch(web, target, heard):
    web.content = CONTENT

    def fetched(path="/set.zip"):
        transfers.fetch(web.url + path, target, heard.watch)
        return target.read_bytes()

    return fetched


def interrupted(web, fetch, monkeypatch, after=400_000):
    """Fetch until the line breaks, as often as there is patience."""
    web.breaks = [after, 0, 0, 0]
    with pytest.raises(RunError) as error:
        fetch()
    web.asked.clear()
    return str(error.value)


def test_a_file_comes_whole_with_its_progress(fetch, web, heard):
    assert fetch() == CONTENT
    assert len(web.asked) == 1
    assert web.asked[0]["accept-encoding"] == "identity"
    assert web.asked[0]["user-agent"].startswith("cxrkit/")
    assert heard.steps[-1] == ("Downloading", 1_000_000, 1_000_000)
    assert [done for _, done, _ in heard.steps] == sorted(done for _, done, _ in heard.steps)


def test_a_finished_file_is_not_fetched_again(fetch, web, heard):
    fetch()
    assert fetch() == CONTENT
    assert len(web.asked) == 1
    assert heard.said[-1].endswith("was fetched by an earlier call")


def test_a_broken_transfer_goes_on_at_once_where_it_broke(fetch, web, heard):
    web.breaks = [300_000, 300_000]
    assert fetch() == CONTENT
    assert [(asked.get("range"), asked.get("if-range")) for asked in web.asked] == [
        (None, None),
        ("bytes=300000-", '"1"'),
        ("bytes=600000-", '"1"'),
    ]
    assert "going on after 300.0 kB" in heard.said


def test_the_next_call_goes_on_where_an_earlier_one_gave_up(fetch, web, target, monkeypatch):
    told = interrupted(web, fetch, monkeypatch)
    assert told.endswith("broke off, 400.0 kB are kept, the same command goes on from there")
    assert not target.exists()
    assert fetch() == CONTENT
    assert web.asked[0]["range"] == "bytes=400000-"
    assert sorted(path.name for path in target.parent.iterdir()) == [".set.archive", ".set.archive.json"]


def test_ctrl_c_leaves_what_the_next_call_goes_on_with(fetch, web, target, heard, monkeypatch):
    class PressedError(KeyboardInterrupt):
        pass

    def press(_what, done, _total):
        if done > 400_000:
            raise PressedError

    with pytest.raises(PressedError):
        transfers.fetch(web.url + "/set.zip", target, heard.watch._replace(progress=press))
    assert heard.said[-1].startswith("interrupted: ")
    assert heard.said[-1].endswith("are kept, the same command goes on from there")
    web.asked.clear()
    assert fetch() == CONTENT
    assert int(web.asked[0]["range"][6:-1]) > 400_000


def test_a_file_that_changed_in_between_is_fetched_from_its_start(fetch, web, heard, monkeypatch):
    interrupted(web, fetch, monkeypatch)
    web.content, web.etag = OTHER, '"2"'
    assert fetch() == OTHER
    assert web.asked[0]["if-range"] == '"1"'
    assert "the file on the server has changed or cannot be gone on with: from the start" in heard.said


def test_a_server_that_sends_the_rest_of_another_file_is_not_believed(fetch, web, monkeypatch):
    interrupted(web, fetch, monkeypatch)
    web.content, web.etag, web.ranges = OTHER, '"2"', "blindly"
    assert fetch() == OTHER
    assert [asked.get("range") for asked in web.asked] == ["bytes=400000-", None]


def test_a_file_that_became_shorter_is_fetched_from_its_start(fetch, web, monkeypatch):
    interrupted(web, fetch, monkeypatch)
    web.content, web.ranges = OTHER[:1000], "blindly"
    assert fetch() == OTHER[:1000]


@pytest.mark.parametrize("modified", [None, "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_without_a_strong_etag_the_last_change_identifies_the_file_or_nothing_does(fetch, web, modified, monkeypatch):
    web.etag, web.modified = 'W/"1"', modified
    told = interrupted(web, fetch, monkeypatch)
    assert ("are kept" in told) == (modified is not None)
    assert fetch() == CONTENT
    assert web.asked[0].get("if-range") == modified


def test_a_server_without_ranges_starts_anew(fetch, web, heard, monkeypatch):
    web.ranges, web.breaks = False, [400_000]
    assert fetch() == CONTENT
    assert [asked.get("range") for asked in web.asked] == [None, "bytes=400000-"]
    assert "the file on the server has changed or cannot be gone on with: from the start" in heard.said


def test_a_server_without_ranges_that_always_breaks_ends_the_patience(fetch, web):
    web.ranges, web.breaks = False, [500_000] * 9
    with pytest.raises(RunError, match="broke off"):
        fetch()
    assert len(web.asked) == 1 + transfers.PATIENCE


def test_what_is_left_of_another_address_is_not_gone_on_with(fetch, web, monkeypatch):
    interrupted(web, fetch, monkeypatch)
    assert fetch("/other.zip") == CONTENT
    assert "range" not in web.asked[0]


def test_a_file_of_unknown_length_ends_where_the_answer_does(fetch, web, heard):
    web.length = False
    assert fetch() == CONTENT
    assert heard.steps[-1] == ("Downloading", 1_000_000, None)


def test_a_server_in_trouble_is_asked_again(fetch, web):
    web.statuses = [503, 429]
    assert fetch() == CONTENT
    web.statuses = [500] * 9
    with pytest.raises(RunError, match="answered 500 Internal Server Error, try again later"):
        fetch("/again.zip")


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "answered 404 Not Found, allowed is the address"), (403, "answered 403 Forbidden, fetch the file with a")],
)
def test_a_refusal_is_told_at_once(fetch, web, target, status, told):
    web.statuses = [status]
    with pytest.raises(InputError, match=told):
        fetch("/set.zip?key=secret")
    assert len(web.asked) == 1
    assert not target.parent.exists()


def test_redirects_are_followed_and_their_keys_not_told(fetch, web, heard):
    web.redirects = {"/latest": "/set.zip?key=secret", "/circle": "/circle"}
    assert fetch("/latest") == CONTENT
    assert [asked["path"] for asked in web.asked] == ["/latest", "/set.zip?key=secret"]
    assert not any("secret" in sentence for sentence in heard.said)
    with pytest.raises(InputError, match="answered 302"):
        fetch("/circle")


def test_a_redirect_to_a_file_of_this_computer_is_refused(fetch, web):
    web.redirects = {"/latest": "file:///etc/passwd"}
    with pytest.raises(InputError, match="answered 302"):
        fetch("/latest")


def test_a_redirect_to_another_protocol_is_not_followed(fetch, web, target):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        web.redirects = {"/latest": f"ftp://me:secret@127.0.0.1:{server.getsockname()[1]}/set.zip?key=secret"}
        with pytest.raises(InputError, match=r"/latest: leads to ftp://127\.0\.0\.1:\d+/set\.zip, only http") as error:
            fetch("/latest")
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()
    assert "secret" not in str(error.value)
    assert not target.parent.exists()


@pytest.mark.parametrize("place", ["http://[::1", "http://a..b/set.zip"])
def test_a_redirect_to_what_is_no_address_is_told(fetch, web, place):
    web.redirects = {"/latest": place}
    with pytest.raises(InputError, match="/latest: is no address that can be asked, or leads to none; fetch the file"):
        fetch("/latest")


def test_an_address_whose_host_has_no_name_is_told(target, heard):
    with pytest.raises(InputError, match="is no address that can be asked"):
        transfers.fetch("http://a..b/set.zip", target, heard.watch)


def test_a_place_in_the_file_of_thousands_of_digits_is_none(fetch, web):
    web.part = f"bytes 0-1/{'9' * 5000}"
    assert fetch() == CONTENT


def test_a_redirect_from_https_to_http_is_refused():
    request = transfers.urllib.request.Request("https://a.example/x")
    with pytest.raises(InputError, match=r"leads away from https to http://b\.example/x"):
        transfers._Redirects().redirect_request(request, None, 302, "", None, "http://b.example/x?key=secret")


def test_a_server_that_is_not_there_is_told(target, heard, web):
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9/set\.zip: cannot be reached \(.+\), try again later"):
        transfers.fetch("http://127.0.0.1:9/set.zip", target, heard.watch)


def test_a_full_disk_is_told_before_anything_is_fetched(fetch, web, target, monkeypatch):
    free = SimpleNamespace(free=1_900_000)
    monkeypatch.setattr("cxrkit.data.watching.shutil.disk_usage", lambda _: free)
    with pytest.raises(RunError, match=r"2\.0 MB are needed to fetch and extract http.*, 1\.9 MB are free"):
        fetch()
    assert not target.parent.exists()
    free.free = 2_000_000
    assert fetch() == CONTENT


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/x",
        "file:///etc/passwd",
        "http://",
        "http://h:port/x",
        "http://h:99999/x",
        "http://h/a b",
        "http://h/ä",
        "http://h/x\nHost: y",
        "http://[::1/x",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="is no address"):
        transfers.check_address(url)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="holds a name or password") as error:
        transfers.check_address("https://me:secret@h/x?key=hidden")
    assert "secret" not in str(error.value)
    assert "hidden" not in str(error.value)
    transfers.check_address("https://h:8080/x%20y.zip?key=hidden")
