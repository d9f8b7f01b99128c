"""Import torch and the training plugins and tell as JSON what there is; a process of its own, as both may crash.

``python -m cxrkit.training.probe`` prints ``{"failure", "torch", "devices", "native_bf16", "threads", "broken"}``.
"""

import json
import sys
from contextlib import redirect_stdout
from typing import Any


def probe() -> dict[str, Any]:
    """Ask torch what it can compute on, and the training plugins whether they load.

    Returns:
        ``failure``: why torch cannot be imported, or None and with it: ``torch``, its version; ``devices``, names by
        kind; ``native_bf16``, the kinds that multiply bf16 in hardware; ``threads`` of the CPU; ``broken``, a sentence
        for each plugin that was left out.
    """
    try:
        import torch
        import torchvision  # noqa: F401 - a build for another torch fails here

        from cxrkit.training.devices import has_native_bf16
    except (ImportError, OSError, RuntimeError) as error:
        return {"failure": " ".join(f"{type(error).__name__}: {error}".split())}
    from cxrkit import discovery

    devices = _devices(torch)
    return {
        "failure": None,
        "torch": torch.__version__,
        "devices": devices,
        "native_bf16": [kind for kind in devices if has_native_bf16(kind)],  # type: ignore[arg-type]  # its kinds
        "threads": torch.get_num_threads(),
        "broken": list(discovery.load("cxrkit.train").notices),
    }


def _devices(torch: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if torch.cuda.is_available():
        found["cuda"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found["mps"] = ["Apple GPU"]
    return {**found, "cpu": []}


def main() -> None:
    """Print the outcome; what plugins print goes to standard error."""
    with redirect_stdout(sys.stderr):
        told = probe()
    print(json.dumps(told))  # noqa: T201 - this is what the process is for


if __name__ == "__main__":
    main()
