"""What cxrkit runs on: versions and hardware, for ``run.json`` and for ``cxrkit doctor``."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import cxrkit
from cxrkit.records import Environment

DEVELOPERS = ("dev", "test")  # extras that users need not know
UNLIMITED = 1 << 60  # bytes; control groups write a number of this size where there is no limit


def describe() -> Environment:
    """Describe versions and hardware, without importing torch and without host, user or absolute paths.

    ``threads`` and ``accelerator`` stay None: only a process that has loaded torch knows them.
    """
    return Environment(
        cxrkit=cxrkit.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor(),
        cpu_count=cpu_count(),
        memory_bytes=memory_bytes(),
        packages=dict(packages()),
        git_revision=git_revision(),
    )


def requirements() -> list[str]:
    """List what cxrkit requires, extras left out, as its metadata has it: ``click>=8.1.7``."""
    try:
        return [line for line in requires("cxrkit") or () if "extra ==" not in line]
    except PackageNotFoundError:  # a checkout that was never installed
        return []


def extras() -> dict[str, list[str]]:
    """List what each extra for users requires, by the extra's name; those for developers are left out."""
    found: dict[str, list[str]] = {}
    try:
        lines = requires("cxrkit") or ()
    except PackageNotFoundError:
        return found
    for line in lines:
        requirement, _, extra = line.partition("; extra == ")
        name = extra.strip("\"'")
        if name and name not in DEVELOPERS:
            found.setdefault(name, []).append(requirement)
    return dict(sorted(found.items()))


def packages() -> Iterator[tuple[str, str]]:
    """Give name and version of each required package that is installed."""
    for requirement in sorted(requirements(), key=str.lower):
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def processor() -> str:
    """Name the processor as its maker does, as far as the system tells."""
    if sys.platform == "linux":
        found = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
        name = found[1] if found else ""
    elif sys.platform == "darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string") or ""
    else:
        name = platform.processor()
    return " ".join(name.split()) or platform.machine()


def cpu_count() -> int:
    """Count the processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Tell the memory in bytes: the machine's, or the container's limit where that is lower; None if unknown."""
    if sys.platform == "win32":
        return _windows_memory()
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
    found = [int(text) for text in (_text(path).strip() for path in limits) if text.isdigit()]
    return min([installed, *(limit for limit in found if limit < UNLIMITED)])


def git_revision() -> str | None:
    """Return the commit of the checkout that cxrkit runs from, with ``-dirty`` where it was changed; else None."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    return _output("git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None


def _windows_memory() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API; ullTotalPhys is its third field."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - elsewhere ctypes has no such attribute
    return int(status.total) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
