"""Thousands of damaged files, each of which is read or refused in one sentence; see tests/soak/mutations.py."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults
pytest.importorskip("pydicom", reason='DICOM needs the extra: pip install "cxrkit[dicom]"')

SCRIPT = Path(__file__).parents[1] / "soak" / "mutations.py"


@pytest.fixture(scope="module")
def mutations():
    spec = spec_from_file_location("mutations", SCRIPT)
    module = module_from_spec(spec)
    sys.modules["mutations"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutations"]


def test_damaged_files_are_read_or_refused_in_a_sentence_in_bounded_memory_and_silence(tmp_path):
    record = tmp_path / "record.json"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--inputs", "2500", "--seed", "1", "--record", record],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
    found = json.loads(record.read_text(encoding="utf-8"))
    assert found["read"] + found["refused"] == 2500
    assert found["read"] > 100
    assert found["refused"] > 1000


def test_the_files_that_are_damaged_are_sound_before(mutations, tmp_path):
    reading = mutations.readers(tmp_path)
    refused = {}
    for name, content in mutations.seeds(weights=True).items():
        path = tmp_path / f"0.{name}"
        path.write_bytes(content)
        refused[name] = mutations._reason(reading[name], path, name)
    assert {name: reason for name, reason in refused.items() if reason} == {
        "apng": "several pictures in one file, allowed is one",
        "gif": "no image by its content",
        "deflated.dcm": "DICOM that is deflated as a whole",
    }


def test_the_same_seed_damages_the_same_files(mutations, tmp_path):
    told = [list(mutations.outcomes(60, 3, tmp_path, weights=False)) for _ in range(2)]
    assert told[0] == told[1]


def test_a_broken_promise_is_noticed(mutations, tmp_path):
    def fails(_path):
        raise KeyError("x")

    with pytest.raises(mutations.BrokenPromiseError, match="input: KeyError"):
        mutations._reason(fails, tmp_path / "a", "input")
