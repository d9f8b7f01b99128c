"""Check whether this environment can do what cxrkit does, with the remedy for what it cannot."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

from cxrkit import discovery, guard, printing
from cxrkit.environment import cpu_count, extras, memory_bytes, processor, requirements

GIB = 1 << 30
LEAST_MEMORY = 3 * GIB  # bytes, what cxrkit demo stays below
LEAST_DISK = 2 * GIB  # bytes, a run of three tasks with its report, and a data set's copy
LEAST_SHARED_MEMORY = 256 << 20  # bytes, batches on their way from the processes that decode images
PATIENCE = 180  # seconds; the first import of torch from a slow disk takes its time


@dataclass(frozen=True)
class Check:
    """One line of the examination.

    Attributes:
        name: what was looked at.
        state: ``warning`` is something that some work needs, ``problem`` something that all of it needs.
        found: what there is.
        remedy: what to do about it; None where it is ok.
    """

    name: str
    state: Literal["ok", "warning", "problem"]
    found: str
    remedy: str | None = None


def examine(folder: Path) -> Iterator[Check]:
    """Look at everything, one check after the other.

    Args:
        folder: where runs would be written; its disk is looked at.
    """
    yield Check("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield from _extras()
    yield Check("processor", "ok", f"{processor()}, {cpu_count()} in use")
    yield _memory()
    yield from _shared_memory(Path("/dev/shm"))  # noqa: S108 - where Linux keeps it
    yield _disk(folder)
    yield from torch_checks(_probed("cxrkit.training.probe"))
    yield from pdf_checks(_probed("cxrkit.pdf_probe"))
    yield from _plugins(list(discovery.load("cxrkit").notices), "plugins")


def torch_checks(told: dict[str, Any]) -> Iterator[Check]:
    """Judge what ``cxrkit.training.probe`` found."""
    if told["failure"] is not None:
        remedy = "install matching builds: pip install --force-reinstall torch torchvision"
        yield Check("torch", "problem", told["failure"], remedy)
        return
    yield Check("torch", "ok", f"{told['torch']}, {told['threads']} threads")
    named = {kind: f"{kind} ({', '.join(names)})" if names else kind for kind, names in told["devices"].items()}
    yield Check("devices", "ok", ", ".join(named.values()))
    first = next(iter(named))
    native = f"native on {first}" if first in told["native_bf16"] else f"not native on {first}, precision auto is fp32"
    yield Check("bf16", "ok", native)
    yield from _plugins(told["broken"], "training plugins")


def pdf_checks(told: dict[str, Any]) -> Iterator[Check]:
    """Judge what ``cxrkit.pdf_probe`` found. A report is written as HTML without any of it."""
    if told["failure"] is not None:
        yield Check("PDF", "warning", f"cannot be written: {told['failure']}", printing.libraries())
        return
    if not told["fonts"]:
        yield Check("fonts", "warning", "none, no PDF can be written", printing.fonts())
        return
    yield Check("PDF", "ok", f"WeasyPrint {version('weasyprint')} wrote a page of {told['bytes']} bytes")
    if not told["harfbuzz_subset"]:
        yield Check("HarfBuzz-Subset", "warning", "missing, PDFs are slower to write", printing.libraries())


def _packages() -> Iterator[Check]:
    """Compare what is installed with what cxrkit requires, since pip leaves conflicts behind."""
    needed = [Requirement(line) for line in requirements()]
    needed = [requirement for requirement in needed if requirement.marker is None or requirement.marker.evaluate()]
    wrong = [line for line in map(_unmet, needed) if line]
    if wrong:
        install = " ".join(f'"{requirement}"' for requirement in needed if _unmet(requirement))
        yield Check("packages", "problem", "; ".join(wrong), f"pip install {install}")
    else:
        yield Check("packages", "ok", f"all {len(needed)} that cxrkit requires")


def _extras() -> Iterator[Check]:
    """Say which extras are installed: none of them is needed."""
    missing = {name for name, needed in extras().items() if any(_unmet(Requirement(line)) for line in needed)}
    there = ", ".join(name for name in extras() if name not in missing) or "none"
    lacking = f"; not installed: {', '.join(sorted(missing))}" if missing else ""
    yield Check("extras", "ok", f"{there}{lacking}")


def _unmet(requirement: Requirement) -> str | None:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(installed, prereleases=True)
    return None if fits else f"{requirement.name} is {installed}, needed is {requirement.specifier}"


def _memory() -> Check:
    found = memory_bytes()
    if found is None:
        return Check("memory", "ok", "unknown")
    if found < LEAST_MEMORY:
        return Check("memory", "warning", _size(found), "lower image_size and batch_size, or use a larger machine")
    return Check("memory", "ok", _size(found))


def _shared_memory(folder: Path) -> Iterator[Check]:
    if sys.platform != "linux" or not folder.is_dir():
        return
    found = shutil.disk_usage(folder).total
    if found < LEAST_SHARED_MEMORY:
        remedy = "set run.workers = 0, or give a container more: docker run --shm-size=1g"
        yield Check("shared memory", "warning", _size(found), remedy)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    if free < LEAST_DISK:
        return Check("disk", "warning", f"{_size(free)} free here", "free space, or set run.output to another disk")
    return Check("disk", "ok", f"{_size(free)} free here")


def _plugins(broken: list[str], name: str) -> Iterator[Check]:
    for sentence in broken:
        yield Check(name, "warning", sentence, "update or uninstall its distribution; cxrkit plugins list shows all")
    if not broken:
        yield Check(name, "ok", "all load")


def _probed(module: str) -> dict[str, Any]:
    """Run a probe in a process of its own, so that a crash in a library is a line and not the end."""
    command = guard.python_module(module)
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE)  # noqa: PLW1510 - a failure is told
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"failure": f"no answer within {PATIENCE} seconds"}
    except (ValueError, IndexError):
        lines = done.stderr.strip().splitlines() or ["without a message"]
        return {"failure": f"the process ended with status {done.returncode}: {lines[-1]}"}
    return told


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
