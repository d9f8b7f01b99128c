"""On what a task computes: device, precision, processes, threads."""

import ctypes
import os
import sys
from typing import Literal

import torch
from lightning_fabric import Fabric

from cxrkit.errors import InputError
from cxrkit.plans import DevicePlan

Device = Literal["cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16", "fp16"]

_FABRIC_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_FEW_CORES = 4
_MOST_WORKERS = 8
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def launch(plan: DevicePlan) -> Fabric:
    """Set up torch for a plan and start the other processes of a data-parallel training.

    Raises:
        InputError: the device, its number or the precision is not to be had here.
    """
    device = available_device(plan)
    precision = native_precision(plan.precision, device)
    _keep_freed_memory(device)
    fabric = Fabric(
        accelerator=device,
        devices=plan.devices,
        strategy="ddp" if plan.devices > 1 else "auto",
        precision=_FABRIC_PRECISION[precision],  # type: ignore[arg-type]  # a literal of theirs
    )
    _launch(fabric)
    torch.set_num_threads(thread_count(plan, device))
    _be_deterministic()
    return fabric


def _launch(fabric: Fabric) -> None:
    """Start the other processes, which like this one take no module from the working folder."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        fabric.launch()
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def available_device(plan: DevicePlan) -> Device:
    """Choose the device: the one asked for, else CUDA, else MPS, else the CPU.

    Raises:
        InputError: what is asked for is not here.
    """
    found: dict[Device, int] = {"cpu": sys.maxsize}
    if torch.backends.mps.is_available():
        found = {"mps": 1, **found}
    if torch.cuda.is_available():
        found = {"cuda": torch.cuda.device_count(), **found}
    device = next(iter(found)) if plan.device == "auto" else plan.device
    if device not in found:
        raise InputError(f'run.device: "{device}" is not available here, allowed are auto, {", ".join(sorted(found))}')
    if plan.devices > found[device]:
        raise InputError(f"run.devices: {plan.devices} were asked for, {found[device]} of {device} are available here")
    return device


def device_of(plan: DevicePlan) -> torch.device:
    """Return the one device to compute on where nothing is trained."""
    return torch.device(available_device(plan))


def native_precision(asked: str, device: Device) -> Precision:
    """Choose the precision: ``auto`` is bf16 where the hardware computes in it, else fp32.

    Raises:
        InputError: fp16 off CUDA, where losses cannot be scaled.
    """
    if asked == "fp16" and device != "cuda":
        raise InputError(f'precision: "fp16" needs CUDA and the device is {device}, allowed are auto, fp32, bf16')
    if asked == "auto":
        return "bf16" if has_native_bf16(device) else "fp32"
    return asked  # type: ignore[return-value]  # the plan allows nothing else


def has_native_bf16(device: Device) -> bool:
    """Ask whether a device multiplies bf16 in hardware."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch below 2.10
    return bool(ask and ask())


def thread_count(plan: DevicePlan, device: Device) -> int:
    """Say how many CPU threads each process computes with."""
    if plan.threads != "auto":
        return plan.threads
    return max(1, usable_cores() // (plan.devices if device == "cpu" else 1))


def accelerator_name(device: Device) -> str | None:
    """Name the accelerator that is computed on; None on the CPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return "Apple GPU (MPS)" if device == "mps" else None


def worker_count(plan: DevicePlan, device: Device) -> int:
    """Say how many processes prepare training images for each training process.

    On a few cores the network uses them all, and a process beside it would only take turns with it.
    """
    if plan.workers != "auto":
        return plan.workers
    cores = usable_cores() // plan.devices
    if device == "cpu":
        return 0 if cores <= _FEW_CORES else 1
    return max(0, min(_MOST_WORKERS, cores - 1))


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_bytes() -> int | None:
    """Return this process's largest resident size, or None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _keep_freed_memory(device: Device) -> None:
    """Let glibc keep large blocks for the next step: mapping them anew costs a fifth of a step on the CPU."""
    if device != "cpu" or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _be_deterministic() -> None:
    """Make the same training give the same bits, as far as torch can; it warns of an operation that cannot."""
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # it only costs time
    torch.backends.cudnn.benchmark = False
