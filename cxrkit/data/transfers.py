"""Files fetched over HTTP, and gone on with where a transfer broke."""

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from rich.filesize import decimal

from cxrkit import __version__
from cxrkit.data.watching import Watch, need_space
from cxrkit.errors import InputError, RunError
from cxrkit.files import digest, write_text, writing

TIMEOUT = 30.0  # seconds without a byte
PATIENCE = 3  # attempts one after the other that bring nothing
PAUSE = 1.0  # seconds before the next of them, longer each time

_CHUNK = 1 << 18
_SCHEMES = ("http", "https")
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_BY_HAND = "fetch the file with a browser and give its path in place of the address"


class _Begun(BaseModel):
    """What is kept beside a partial file: of which address it is, and what tells that the file there is the same."""

    url: str  # its digest: an address may carry a key
    validator: str | None
    total: int | None


class _Sofar(NamedTuple):
    """Where to go on, and what the server must still have; from 0 without a validator."""

    offset: int
    begun: _Begun | None


class _BrokenError(Exception):
    """A transfer that may succeed when it is tried again."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to HTTP and HTTPS alone, and never from the second to the first."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage
    ) -> IO[bytes] | None:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except Exception:
            fp.close()  # urllib leaves the connection open where it does not go on
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise InputError(f"{told(req.full_url)}: leads away from https to {told(newurl)}, which is not followed")
        if urlsplit(newurl).scheme not in _SCHEMES:
            raise InputError(f"{told(req.full_url)}: leads to {told(newurl)}, only http(s) is followed; {_BY_HAND}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str) -> None:
    """Refuse what is no address of a file on the web.

    Raises:
        InputError: neither http nor https, no host, a password in it, or characters that no address has.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise InputError(f"{told(url)}: is no address, allowed is http(s)://HOST/FILE, percent-encoded")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{told(url)}: holds a name or password, allowed is an address without; {_BY_HAND}")


def told(url: str) -> str:
    """Return an address as it may be shown and kept: without a password, a key in its query, or a fragment."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return url


def fetch(url: str, target: Path, watch: Watch) -> None:
    """Fetch a file; what an earlier call fetched of it is gone on with, if the server still has the same file.

    A broken connection is tried again at once, for as long as it brings anything. A partial file stays beside
    ``target`` whatever stops the transfer, a press of Ctrl-C included.

    Args:
        url: http or https.
        target: the file; if an earlier call has finished it, nothing is fetched.
        watch: hears of the bytes.

    Raises:
        InputError: the server has no such file, or does not give it.
        RunError: it cannot be reached, breaks off again and again, or the disk is full.
    """
    check_address(url)
    begun = _read(_note(target))
    if target.is_file() and begun is not None and begun.url == digest(url):
        watch.say(f"{target} was fetched by an earlier call")
        return
    partial = target.with_name(f"{target.name}.partial")
    watch.say(f"fetching {told(url)}")
    try:
        with writing(partial):
            _persist(url, target, partial, watch)
    except KeyboardInterrupt:
        watch.say(f"interrupted: {_remedy(url, target, partial)}")
        raise
    partial.replace(target)


def forget(target: Path) -> None:
    """Remove a fetched file, its partial file and what was noted about them."""
    for path in (target, target.with_name(f"{target.name}.partial"), _note(target)):
        path.unlink(missing_ok=True)


def _persist(url: str, target: Path, partial: Path, watch: Watch) -> None:
    fruitless, longest = 0, _length(partial)
    while True:
        try:
            _attempt(url, target, partial, watch)
        except _BrokenError as broken:
            fruitless = 0 if _length(partial) > longest else fruitless + 1
            longest = max(longest, _length(partial)) if _length(partial) else 0
            if fruitless == PATIENCE:
                raise RunError(f"{told(url)}: {broken}, {_remedy(url, target, partial)}") from None
            time.sleep(PAUSE * 2**fruitless)
        else:
            return


def _remedy(url: str, target: Path, partial: Path) -> str:
    kept = _sofar(url, target, partial).offset
    return f"{decimal(kept)} are kept, the same command goes on from there" if kept else "try again later"


def _attempt(url: str, target: Path, partial: Path, watch: Watch) -> None:
    sofar = _sofar(url, target, partial)
    if sofar.offset and sofar.begun and sofar.offset == sofar.begun.total:
        return
    with _asked(url, sofar, partial) as response:
        offset = _start(response, sofar)
        if offset is None:  # the server did not heed If-Range
            partial.unlink()
            raise _BrokenError("sent the rest of another file than was begun")
        total = _whole(response) or (None if response.length is None else offset + response.length)
        if total is not None:  # an archive of images grows to about its own size
            need_space(target, total - offset + total, f"to fetch and extract {told(url)}")
        if offset:
            watch.say(f"going on after {decimal(offset)}")
        else:
            if sofar.offset:
                watch.say("the file on the server has changed or cannot be gone on with: from the start")
            _begin(target, partial, _Begun(url=digest(url), validator=_validator(response), total=total))
        done = _append(response, partial, offset, total, watch)
    if total is not None and done != total:
        raise _BrokenError("broke off")


def _sofar(url: str, target: Path, partial: Path) -> _Sofar:
    begun = _read(_note(target))
    if begun is None or begun.url != digest(url) or begun.validator is None:
        return _Sofar(0, None)
    return _Sofar(_length(partial), begun)


def _asked(url: str, sofar: _Sofar, partial: Path) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"cxrkit/{__version__}", "Accept-Encoding": "identity"}
    if sofar.offset and sofar.begun and sofar.begun.validator:
        headers |= {"Range": f"bytes={sofar.offset}-", "If-Range": sofar.begun.validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - check_address allows http and https alone
    try:
        answer: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(url, error.code, partial) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise RunError(f"{told(url)}: has no valid certificate ({reason.verify_message}), {_BY_HAND}") from None
        raise _BrokenError(f"cannot be reached ({_why(reason)})") from None
    except ValueError:  # of the names of hosts, its own or that of a redirect
        raise InputError(f"{told(url)}: is no address that can be asked, or leads to none; {_BY_HAND}") from None
    return answer


def _refusal(url: str, code: int, partial: Path) -> Exception:
    if code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        partial.unlink(missing_ok=True)
        return _BrokenError("the server has less than was fetched")
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _BUSY:
        return _BrokenError(f"the server answered {_phrase(code)}")
    remedy = _BY_HAND if code in _CLOSED else "allowed is the address of a file"
    return InputError(f"{told(url)}: the server answered {_phrase(code)}, {remedy}")


def _phrase(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _start(response: http.client.HTTPResponse, sofar: _Sofar) -> int | None:
    """Tell at which byte the answer begins: where it was asked to, or at 0; None if it is of another file."""
    if response.status == HTTPStatus.OK:
        return 0
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if response.status != HTTPStatus.PARTIAL_CONTENT or not sofar.offset or not sofar.begun or found is None:
        raise InputError(f"{told(response.url)}: the server answered {response.status}, allowed is a whole file")
    same = _validator(response) in (None, sofar.begun.validator) and _whole(response) in (None, sofar.begun.total)
    return sofar.offset if same and int(found[1]) == sofar.offset else None


def _whole(response: http.client.HTTPResponse) -> int | None:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return int(found[3]) if found and found[3] != "*" else None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """Return what identifies these bytes: a strong ETag, else the time of the last change."""
    tag: str | None = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _begin(target: Path, partial: Path, begun: _Begun) -> None:
    """Empty the partial file before its note is written, so that no old bytes get the new file's validator."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(b"")
    write_text(_note(target), begun.model_dump_json())


def _append(response: http.client.HTTPResponse, partial: Path, offset: int, total: int | None, watch: Watch) -> int:
    done = offset
    with partial.open("ab") as file:
        for piece in _pieces(response):
            file.write(piece)
            done += len(piece)
            watch.progress("Downloading", done, total)
            if done == total:  # without waiting for the server to close
                break
    return done


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read1(_CHUNK)  # what there is, so that an interruption loses nothing
        except http.client.IncompleteRead as error:
            yield error.partial
            raise _BrokenError("broke off") from None
        except (http.client.HTTPException, OSError) as error:
            raise _BrokenError(f"broke off ({_why(error)})") from None
        if not piece:
            return
        yield piece


def _why(error: object) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _read(note: Path) -> _Begun | None:
    try:
        return _Begun.model_validate_json(note.read_bytes())
    except (OSError, ValidationError):
        return None


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
