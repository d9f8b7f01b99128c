"""What nobody foresaw: kept in a file with all that a report of it needs, told in a sentence that names the file."""

import json
import os
import re
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from cxrkit.discovery import GROUPS, installed
from cxrkit.environment import describe
from cxrkit.errors import CxrkitError, is_out_of_memory
from cxrkit.files import disk_fault, write_private
from cxrkit.guard import MisbehaviourError, in_short
from cxrkit.one_line import encodable

_SECRET = re.compile(r"token|secret|passw|credential|api_?key|private_?key|(^|_)auth(?!ors?$)", re.IGNORECASE)
_ASSIGNED = re.compile(r"((?:token|secret|passw|credential|api_?key)\w*\s*[=:]\s*['\"]?)[^\s'\",]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]+@")  # of an address: user:password@
_QUERY = re.compile(r"(\w+://[^\s?'\"]+\?)[^\s'\"]+")
_LABELS = ("issues", "issue tracker", "bug tracker", "bugs", "tracker", "repository", "source", "homepage")
_INTRODUCTION = """\
cxrkit stopped at something that nobody foresaw. Please send this file to {where}.

It holds the traceback, the versions and the configuration, and no environment variables; your home folder stands as ~,
and what looks like a password or a key as ***. Names of folders, files and plugins are in it: read it before you send
it.
"""


def expected(error: BaseException) -> list[str] | None:
    """Give the sentences of an error that a user can act on; None where nobody foresaw it."""
    if isinstance(error, MisbehaviourError) and error.__cause__ is not None:
        return None
    if isinstance(error, CxrkitError):
        return str(error).splitlines()
    if is_out_of_memory(error):
        return ["memory ran out, use a smaller batch_size or image_size, or close other programs"]
    if isinstance(error, ImportError) and error.name and not error.name.startswith("cxrkit"):
        return [f"{error.name}: cannot be imported ({error}), cxrkit doctor checks what is installed"]
    fault = disk_fault(error)
    return None if fault is None else [fault]


def told(error: BaseException, folders: Iterable[Path], command: str, configuration: Any = None) -> str:
    """Keep an unforeseen error in a file and tell of it in one sentence.

    Args:
        error: that nobody foresaw, or that a plugin raised.
        folders: that the file may go to, the best first; the folder for temporary files is the last resort.
        command: what was going on.
        configuration: of the run, as JSON has it; None where there is none yet.
    """
    what = f"unexpected {in_short(error)}, a fault of cxrkit or of a plugin"
    if isinstance(error, CxrkitError):
        what = str(error)
    kept = keep(error, folders, command, configuration)
    if kept is None:
        return f"{what}; --debug shows where, please report it to {_responsible(error)}"
    return f"{what}; {kept} holds what a report of it needs, please send it to {_responsible(error)}"


def keep(error: BaseException, folders: Iterable[Path], command: str, configuration: Any = None) -> Path | None:
    """Write the file, for the user's own eyes (mode 0600); see :func:`told`.

    Returns:
        Where it is; None where no folder can be written.
    """
    now = datetime.now(UTC)
    name = f"cxrkit-error-{now.strftime('%Y-%m-%dT%H-%M-%S')}-{os.getpid()}.txt"
    text = _text(error, command, configuration, now)
    for folder in (*folders, Path(tempfile.gettempdir())):
        if folder.is_dir():
            try:
                write_private(folder / name, text)
            except CxrkitError:
                continue
            return folder / name
    return None


def tracker(distribution: str = "cxrkit") -> str:
    """Tell where faults are reported: the address that the installed metadata names, else in words."""
    try:
        entries = metadata(distribution).get_all("Project-URL") or []
    except PackageNotFoundError:  # a checkout that was never installed
        entries = []
    urls = {label.strip().lower(): url.strip() for label, _, url in (entry.partition(",") for entry in entries)}
    return next((urls[label] for label in _LABELS if label in urls), "the project's issue tracker")


def _responsible(error: BaseException) -> str:
    """Tell who is to hear of it: of what a plugin of another distribution did, those who made that."""
    if isinstance(error, MisbehaviourError) and " of cxrkit " not in str(error):
        return "those who made the plugin"
    return tracker()


def without_secrets(value: Any) -> Any:
    """Put *** for what an option's name says is secret, and for what addresses carry of users and keys."""
    if isinstance(value, Mapping):
        return {
            key: _masked(each) if _SECRET.search(str(key)) else without_secrets(each) for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    if not isinstance(value, str):
        return value
    return _ASSIGNED.sub(r"\1***", _QUERY.sub(r"\1***", _USERINFO.sub("***@", value)))


def _masked(value: Any) -> Any:
    """Put *** for every text in a value; a number (of ``tokens``) is no secret."""
    if isinstance(value, Mapping):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return "***" if isinstance(value, str) else value


def _text(error: BaseException, command: str, configuration: Any, now: datetime) -> str:
    parts = [
        _INTRODUCTION.format(where=_responsible(error)),
        f"command: {without_secrets(command)}\ntime: {now.isoformat(timespec='seconds')}\n",
        without_secrets("".join(traceback.format_exception(error))),
        _versions(),
        "configuration: " + json.dumps(without_secrets(configuration), indent=1, default=str) + "\n",
    ]
    return encodable(_without_home("\n".join(parts)))


def _versions() -> str:
    try:
        return "\n".join([*_of_packages(), *_of_plugins()]) + "\n"
    except Exception as error:  # noqa: BLE001 - of an installation that is broken, this is what there is to tell
        return f"versions: not known ({type(error).__name__}: {error})\n"


def _of_plugins() -> list[str]:
    sources = [source for group in GROUPS for source in installed(group)]
    return list(dict.fromkeys(f"plugin {source.distribution} {source.version}" for source in sources))


def _of_packages() -> Iterator[str]:
    found = describe()
    yield f"cxrkit {found.cxrkit}{f', revision {found.git_revision}' if found.git_revision else ''}"
    yield f"Python {found.python} on {found.platform}, {found.processor}, {found.cpu_count} cores"
    yield f"memory {found.memory_bytes} bytes"
    yield from (f"{name} {version}" for name, version in found.packages.items())


def _without_home(text: str) -> str:
    try:
        home = str(Path.home())
    except RuntimeError:  # there is none
        return text
    if len(home) <= 1:
        return text
    for shown in (home, home.replace("\\", "\\\\")):  # as it is, and as JSON and Python's own words have it on Windows
        text = re.sub(rf"{re.escape(shown)}(?![\w.-])", "~", text)
    return text
