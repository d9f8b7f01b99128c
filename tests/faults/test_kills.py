"""Runs that are killed at random moments in every phase end with the bytes of an undisturbed one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "soak" / "kills.py"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes get no signals there")


def soak(tmp_path, kills, seed):
    record = tmp_path / "record.json"
    arguments = ["--kills", str(kills), "--seed", str(seed), "--in", str(tmp_path), "--record", str(record)]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(record.read_bytes())
    assert found["kills"] >= kills
    assert found["deviations"] == []


@pytest.mark.faults
def test_twelve_kills_change_no_byte(tmp_path):
    soak(tmp_path, 12, seed=0)


@pytest.mark.slow
def test_fifty_kills_change_no_byte(tmp_path):
    soak(tmp_path, 50, seed=1)
