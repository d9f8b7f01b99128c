import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrkit import doctor
from cxrkit.doctor import GIB, pdf_checks, torch_checks


def states(checks) -> dict[str, str]:
    return {check.name: check.state for check in checks}


def test_a_torch_that_cannot_be_imported_is_a_problem_with_a_remedy():
    (check,) = torch_checks({"failure": "OSError: libcudart.so: no such file"})
    assert (check.state, check.found) == ("problem", "OSError: libcudart.so: no such file")
    assert "pip install" in check.remedy


def test_devices_and_native_bf16_are_named():
    told = {
        "failure": None,
        "torch": "2.9",
        "devices": {"cuda": ["H100", "H100"], "cpu": []},
        "native_bf16": ["cuda"],
        "threads": 4,
        "broken": [],
    }
    found = {check.name: check.found for check in torch_checks(told)}
    assert found["devices"] == "cuda (H100, H100), cpu"
    assert found["bf16"] == "native on cuda"
    assert found["training plugins"] == "all load"


def test_a_processor_without_native_bf16_and_a_broken_plugin_are_told():
    told = {
        "failure": None,
        "torch": "2.9",
        "devices": {"cpu": []},
        "native_bf16": [],
        "threads": 4,
        "broken": ['plugin "x" of stranger 1.0 was skipped: ImportError'],
    }
    checks = list(torch_checks(told))
    assert states(checks)["training plugins"] == "warning"
    assert {check.name: check.found for check in checks}["bf16"] == "not native on cpu, precision auto is fp32"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"failure": "cannot load library 'libpango-1.0-0'"}, {"PDF": "warning"}),
        ({"failure": None, "fonts": False}, {"fonts": "warning"}),
        (
            {"failure": None, "fonts": True, "harfbuzz_subset": False, "bytes": 9},
            {"PDF": "ok", "HarfBuzz-Subset": "warning"},
        ),
        ({"failure": None, "fonts": True, "harfbuzz_subset": True, "bytes": 9}, {"PDF": "ok"}),
    ],
)
def test_what_a_pdf_needs_is_a_warning_with_the_packages(told, expected):
    checks = list(pdf_checks(told))
    assert states(checks) == expected
    assert all(check.remedy for check in checks if check.state != "ok")


def test_a_machine_with_little_memory_and_disk_is_warned_of(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 2 * GIB)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: SimpleNamespace(total=GIB, free=GIB))
    monkeypatch.setattr(doctor, "_probed", lambda _module: {"failure": "not asked"})
    found = {check.name: check for check in doctor.examine(tmp_path)}
    assert (found["memory"].state, found["memory"].found) == ("warning", "2.0 GiB")
    assert (found["disk"].state, found["disk"].found) == ("warning", "1.0 GiB free here")


def test_packages_that_do_not_fit_are_a_problem(monkeypatch):
    needed = ["click>=8.1", "numpy<1", "no-such-package>=2", "colorama; sys_platform == 'nowhere'"]
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    (check,) = doctor._packages()
    assert check.state == "problem"
    assert "numpy is " in check.found
    assert ", needed is <1; no-such-package is missing" in check.found
    assert check.remedy == 'pip install "numpy<1" "no-such-package>=2"'


def test_a_crash_of_a_library_is_told_and_not_shared(monkeypatch, strangers):
    (strangers / "crashing.py").write_text("import os\nos.abort()\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(strangers))
    assert "the process ended with status" in doctor._probed("crashing")["failure"]


def test_the_pdf_probe_survives_a_machine_without_fonts(tmp_path):
    """With no font at all Pango crashes the process that lays out text."""
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><dir>{tmp_path}</dir></fontconfig>", encoding="utf-8")
    environment = os.environ | {"FONTCONFIG_FILE": str(fonts)}
    command = [sys.executable, "-m", "cxrkit.pdf_probe"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8")
    told = json.loads(done.stdout)
    assert told["failure"] is not None or told["fonts"] is False
    assert told["bytes"] is None


def test_the_pdf_probe_tells_of_a_missing_pango(tmp_path):
    """A cffi that finds no library stands for a machine without Pango; WeasyPrint prints on standard output then."""
    script = tmp_path / "probe.py"
    script.write_text(
        "import cffi\n"
        "def missing(self, name, flags=0): raise OSError(f\"cannot load library '{name}'\")\n"
        "cffi.FFI.dlopen = missing\n"
        "from cxrkit.pdf_probe import main\n"
        "main()\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, check=True, encoding="utf-8")
    assert json.loads(done.stdout)["failure"].startswith("cannot load library 'libgobject")


def test_extras_are_told_that_are_there_and_that_are_not(monkeypatch):
    lines = ["click>=8", 'click>=8; extra == "here"', 'no-such-package; extra == "lacking"', 'click; extra == "dev"']
    monkeypatch.setattr("cxrkit.environment.requires", lambda _name: lines)
    found = {check.name: check for check in doctor.examine(Path())}
    assert (found["extras"].state, found["extras"].found) == ("ok", "here; not installed: lacking")
