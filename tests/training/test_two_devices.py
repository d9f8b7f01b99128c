import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("two_devices.py")
pytestmark = pytest.mark.slow


def outcome(folder: Path, devices: int, strategy: str) -> list[dict]:
    out = folder / f"{strategy}-{devices}"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(devices), strategy, str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(Path(f"{out}-{rank}.json").read_bytes()) for rank in range(devices)]


@pytest.mark.parametrize(
    ("strategy", "positives", "images"),
    [
        ("none", 30, 43),
        ("class-weights", 30, 43),
        ("upsample", 30, 60),
        ("downsample", 13, 26),
        ("balanced-sampler", None, 43),
    ],
)
def test_two_processes_see_and_learn_what_one_does(tmp_path, strategy, positives, images):
    """Global batches hold the same classes; gradients weigh every image alike, whatever the sizes of the parts."""
    [alone] = outcome(tmp_path, 1, strategy)
    first, second = outcome(tmp_path, 2, strategy)
    together = [one + other for one, other in zip(first["seen"], second["seen"], strict=True)]
    assert [sorted(batch) for batch in together] == [sorted(batch) for batch in alone["seen"]]
    assert sum(map(len, together)) == images
    assert positives in (None, sum(map(sum, together)))
    assert any(len(one) != len(other) for one, other in zip(first["seen"], second["seen"], strict=True))
    for name, weights in alone["weights"].items():
        np.testing.assert_allclose(first["weights"][name], weights, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(first["weights"][name], second["weights"][name])
