import getpass
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cxrkit import environment
from cxrkit.environment import describe


def test_versions_and_hardware_are_described():
    found = describe()
    assert found.cxrkit == version("cxrkit")
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.packages["numpy"] == version("numpy")
    assert found.packages.keys() >= {"torch", "pydantic", "weasyprint"}
    assert found.cpu_count >= 1
    assert found.memory_bytes is None or found.memory_bytes > 1 << 28


def test_nothing_private_is_described():
    text = describe().model_dump_json()
    assert str(Path.home()) not in text
    assert f'"{socket.gethostname()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def test_describing_imports_no_torch():
    code = "import sys; from cxrkit.environment import describe; describe(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A place for a copy of cxrkit."""
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "cxrkit" / "environment.py"))
    return tmp_path


def test_the_revision_is_that_of_the_checkout_and_none_elsewhere(checkout):
    assert environment.git_revision() is None
    git = ["git", "-C", str(checkout), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"], ["tag", "v1"]):
        subprocess.run([*git, *arguments], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", environment.git_revision())


def test_a_machine_without_git_has_no_revision(checkout, monkeypatch):
    (checkout / ".git").mkdir()
    monkeypatch.setenv("PATH", str(checkout))
    assert environment.git_revision() is None
