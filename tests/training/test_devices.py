import pytest
import torch

from cxrkit.errors import InputError
from cxrkit.plans import DevicePlan
from cxrkit.training import devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="it has CUDA")
def test_a_device_that_is_not_there_is_refused_and_auto_takes_what_is():
    with pytest.raises(InputError, match=r'run\.device: "cuda" is not available here, allowed are auto, cpu'):
        devices.available_device(DevicePlan(device="cuda"))
    assert devices.available_device(DevicePlan(device="cpu", devices=2)) == "cpu"


def test_fp16_needs_cuda_and_auto_is_bf16_where_it_is_native(monkeypatch):
    with pytest.raises(InputError, match='precision: "fp16" needs CUDA'):
        devices.native_precision("fp16", "cpu")
    for native, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(devices, "has_native_bf16", lambda _device, native=native: native)
        assert devices.native_precision("auto", "cpu") == expected


def test_threads_are_shared_among_the_processes_of_a_cpu(monkeypatch):
    monkeypatch.setattr(devices, "usable_cores", lambda: 8)
    assert devices.thread_count(DevicePlan(devices=2), "cpu") == 4
    assert devices.thread_count(DevicePlan(devices=2, threads=3), "cpu") == 3
    assert devices.worker_count(DevicePlan(), "cpu") == 1
    assert devices.worker_count(DevicePlan(workers=5), "cpu") == 5
