"""One process at a time writes into a folder, and who that is stands beside the lock."""

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout
from pydantic import BaseModel, ValidationError

from cxrkit.errors import InputError
from cxrkit.files import write_text, writing

LOCK, OWNER = ".cxrkit.lock", ".cxrkit.lock.json"
FILES = frozenset({LOCK, OWNER})
"""What a lock leaves in its folder while it is held; of a killed process until the next one comes."""

PATIENCE = 60.0  # seconds in which the processes of a killed command have to end
INSTANT = 2.0  # seconds between taking a lock and naming its owner, at most
POLL = 0.2
_held: set[Path] = set()


class Owner(BaseModel):
    """``.cxrkit.lock.json``: who holds the lock of this folder."""

    pid: int
    host: str
    command: str
    started: datetime


@contextmanager
def held(
    folder: Path,
    command: str,
    *,
    wait: bool | None = None,
    say: Callable[[str], None] | None = None,
    told: Path | None = None,
) -> Iterator[None]:
    """Keep every other process from writing into a folder, which is made where it is missing.

    The system gives the lock back when its processes have ended, however they did: no lock of a dead process stays.
    :func:`descriptors` lets a child process hold it too, so that it outlives a parent that is killed as long as the
    child does. Where the file system has no locks, the user is warned and nothing is kept out.

    Args:
        folder: a run directory, or another folder of results.
        command: what the others are told that is at work here: ``cxrkit run``.
        wait: for a process that holds it, instead of refusing; None where the command cannot.
        say: is told what is waited for.
        told: what messages name in place of a folder that stands for something else.

    Raises:
        InputError: another process is writing there.
        RunError: the folder cannot be written.
    """
    made = _made(folder)
    path, lock = folder.absolute() / LOCK, FileLock(folder.absolute() / LOCK)
    with writing(folder):
        locked = _acquired(lock, folder, told or folder, wait, say or (lambda _sentence: None))
    try:
        if locked:
            _held.add(path)
            owner = Owner(pid=os.getpid(), host=socket.gethostname(), command=command, started=datetime.now(UTC))
            write_text(folder / OWNER, owner.model_dump_json() + "\n")
        yield
    finally:
        if locked:
            _held.discard(path)
            _give_back(lock, folder)
        for empty in made:
            with suppress(OSError):
                empty.rmdir()


def descriptors() -> list[int]:
    """Name this process's open files of the locks that it holds, for a child that is to hold them too.

    Returns:
        For ``pass_fds`` of :class:`subprocess.Popen`; none on Windows, where a lock cannot be handed on.
    """
    return [number for path in _held for number in _open_files(path) or ()]


def is_empty(folder: Path) -> bool:
    """Say whether a folder holds nothing but its lock."""
    return all(path.name in FILES for path in folder.iterdir())


def _made(folder: Path) -> list[Path]:
    """Name the folders that do not exist yet, the innermost first: what is to be removed where it stays empty."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _acquired(lock: "FileLock", folder: Path, told: Path, wait: bool | None, say: Callable[[str], None]) -> bool:
    """Take the lock; False where the file system has none."""
    began, said = time.monotonic(), False
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waits_for = _waits_for(_owner(folder), told, wait, time.monotonic() - began)
            if not said and waits_for:
                say(waits_for)
            said = said or bool(waits_for)
            time.sleep(POLL)
        except (NotImplementedError, OSError) as error:
            if not _has_no_locks(error):
                raise
            say(
                f"{told}: this file system has no locks, so nothing keeps a second cxrkit from writing here, "
                "start one at a time"
            )
            return False
        else:
            if _is_current(lock):
                return True
            lock.release()  # the one before has removed its file since it was opened here


def _waits_for(owner: Owner | None, folder: Path, wait: bool | None, waited: float) -> str | None:
    """Say what is waited for, or refuse.

    Raises:
        InputError: another process is writing there, and is not waited for.
    """
    if owner is not None and _is_dead(owner):
        if waited > PATIENCE and not wait:
            raise InputError(
                f"{folder}: {owner.command} (process {owner.pid}) was killed and a process that it started still "
                "writes here, end that (a plugin may have started it)"
            )
        return f"{folder}: waiting until the processes of a {owner.command} that was killed have ended"
    if wait:
        return f"{folder}: waiting until {_named(owner)} has ended"
    if owner is None and waited < INSTANT:
        return None
    choices = "choose another folder" if wait is None else "wait for it with --wait, or choose another folder"
    raise InputError(f"{folder}: {_named(owner)} is writing here, one at a time is allowed; {choices}")


def _named(owner: Owner | None) -> str:
    if owner is None:
        return "another process"
    where = "" if owner.host == socket.gethostname() else f" on {owner.host}"
    since = owner.started.astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{owner.command} (process {owner.pid}{where}, since {since})"


def _owner(folder: Path) -> Owner | None:
    try:
        return Owner.model_validate_json((folder / OWNER).read_bytes())
    except (OSError, ValidationError):
        return None


def _is_dead(owner: Owner) -> bool:
    """Say whether the owner is known to have ended; on Windows, and of another host, it is not known."""
    if os.name == "nt" or owner.host != socket.gethostname():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _has_no_locks(error: Exception) -> bool:
    missing = {getattr(errno, name, None) for name in ("ENOSYS", "ENOLCK", "ENOTSUP", "EOPNOTSUPP")}
    return isinstance(error, NotImplementedError) or (isinstance(error, OSError) and error.errno in missing)


def _is_current(lock: "FileLock") -> bool:
    """Say whether the file that is locked is the one that others find."""
    path = Path(lock.lock_file)
    found = None if isinstance(lock, SoftFileLock) else _open_files(path)
    return path.exists() if found is None else bool(found)


def _open_files(path: Path) -> list[int] | None:
    """Find this process's descriptors of a file; None where the system does not list them."""
    try:
        numbers, there = [int(name) for name in os.listdir("/dev/fd")], path.stat()  # noqa: PTH208 - names of numbers
    except OSError:
        return None if not Path("/dev/fd").is_dir() else []
    found = []
    for number in numbers:
        with suppress(OSError):  # that of the listing itself
            if os.path.samestat(os.fstat(number), there):
                found.append(number)
    return found


def _give_back(lock: "FileLock", folder: Path) -> None:
    """Remove the files while they are still ours, then let the next one in."""
    for path in (folder / OWNER, folder / LOCK):
        with suppress(OSError):  # Windows removes no open file, a lost disk none at all
            path.unlink(missing_ok=True)
    lock.release()
    if os.name == "nt":
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
