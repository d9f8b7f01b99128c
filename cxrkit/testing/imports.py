"""Whether a plugin of the right half leaves torch alone: ``python -m cxrkit.testing.imports DISTRIBUTION PLUGIN``.

A process of its own, since torch may have been imported in this one by anything.
"""

import json
import os
import subprocess
import sys

from cxrkit import discovery, guard
from cxrkit.entry_points import Source
from cxrkit.testing.check import BrokenPromiseError, need

TORCH = ("torch", "torchvision", "torchcam", "lightning_fabric", "timm")


def imports_no_torch(source: Source) -> None:
    """Load a plugin of the group ``cxrkit`` and run its checks in a process of their own.

    Raises:
        BrokenPromiseError: torch, or what is built on it, was imported there.
    """
    command = [*guard.python_module("cxrkit.testing.imports"), source.distribution, source.entry_point]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    limit = guard.call_seconds()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise BrokenPromiseError(f"its checks were not done after {limit:g} seconds") from None
    told = done.stdout.splitlines()[-1:]
    need(done.returncode == 0 and told, f"the process ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found = json.loads(told[0])
    need(not found["loaded"], f"imports {', '.join(found['loaded'])} when it is loaded")
    need(not found["used"], f"imports {', '.join(found['used'])} when it is used")


def main(distribution: str, entry_point: str) -> None:
    """Print what of torch is there after loading, and after the checks, as JSON."""
    from cxrkit.testing import collecting

    (source,) = (
        one
        for one in discovery.installed("cxrkit")
        if (one.distribution, one.entry_point) == (distribution, entry_point)
    )
    loaded = discovery.load("cxrkit", only=source)
    at_first = _imported()
    for check in collecting.of_source(loaded, source):
        if check.promise != collecting.TORCHLESS:
            check.outcome()
    print(json.dumps({"loaded": at_first, "used": _imported()}))  # noqa: T201 - told to the process that asked


def _imported() -> list[str]:
    return [name for name in TORCH if name in sys.modules]


if __name__ == "__main__":
    main(*sys.argv[1:])
    guard.leave(0)
