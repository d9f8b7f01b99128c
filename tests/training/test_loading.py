import multiprocessing
import os
import signal
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from cxrkit.config.schema import AugmentationTable
from cxrkit.data.images import ImageChangedError
from cxrkit.files import sha256
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.loading import TrainImages, TrainLoader, lost_worker, views
from cxrkit.training.order import Visit


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(path)
    augmentation = Augmentation(AugmentationTable(rotation=10), 32)
    return TrainImages(paths, [path.name for path in paths], augmentation, 0, 1 << 20, 1)


def visits(epoch):
    return [[Visit(epoch, image, 0), Visit(epoch, image + 1, 0)] for image in (0, 2, 4)]


def test_loading_draws_nothing_that_the_network_draws_from(images):
    loader = TrainLoader(images, 0, pin=False)
    for epoch in (1, 2):
        before = torch.get_rng_state()
        assert len(list(loader.batches(visits(epoch)))) == 3
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="who has sent a signal is told on Linux alone")
def test_loading_processes_outlive_what_others_send_and_draw_nothing(images):
    alone, helped = (TrainLoader(images, workers, pin=False) for workers in (0, 2))
    before = torch.get_rng_state()
    for epoch in (1, 2, 3):
        expected = list(alone.batches(visits(epoch)))
        assert all(map(torch.equal, helped.batches(visits(epoch)), expected))
        workers = multiprocessing.active_children()
        for number in ("TERM", "INT", "HUP", "TERM"):  # by another process, not by the one that they belong to
            subprocess.run(["kill", f"-{number}", *(str(worker.pid) for worker in workers)], check=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker.pid, signal.SIGTERM)
        worker.join(30)
        assert worker.exitcode == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("DataLoader worker (pid 17810) is killed by signal: Killed. "), "is killed by signal: Killed)"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that"), "Bus error)"),
        (RuntimeError("DataLoader worker (pid(s) 17, 18) exited unexpectedly"), "(pid(s) 17, 18) exited unexpectedly)"),
        (RuntimeError("Caught KeyError in DataLoader worker process 0."), None),
        (ValueError("DataLoader worker (pid 17810) is killed by signal: Killed. "), None),
    ],
)
def test_a_lost_loading_process_is_told_from_other_errors(error, told):
    found = lost_worker(error)
    assert found is None if told is None else told in found


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_image_that_is_not_as_the_manifest_has_it_ends_the_epoch_with_one_sentence(images, workers):
    images.hashes = [sha256(path) for path in images.paths]
    assert len(list(TrainLoader(images, workers, pin=False).batches(visits(1)))) == 3
    images._kept.clear()
    images.paths[3].write_bytes(images.paths[3].read_bytes() + b"\0")
    with pytest.raises(ImageChangedError) as told:
        list(TrainLoader(images, workers, pin=False).batches(visits(2)))
    assert str(told.value).startswith(f"{images.paths[3]}: is not as it was")
    assert "\n" not in str(told.value)


def test_what_an_evaluated_network_sees_is_what_the_manifest_has(images):
    hashes = [sha256(path) for path in images.paths]
    assert len(list(views(images.paths, 32, 1, hashes))) == 6
    images.paths[5].unlink()
    assert list(views(images.paths, 32, 1))[5] == "missing file"
    with pytest.raises(ImageChangedError, match=r"5\.png: is not as it was"):
        list(views(images.paths, 32, 1, hashes))
