from collections.abc import Callable
from pathlib import Path

import pytest

from cxrkit import config
from cxrkit.errors import InputError

SMALL = """
[data]
root = "images"

[[task]]
name = "scratch"
model = "resnet18"
"""


@pytest.fixture
def small() -> str:
    """The smallest file that trains something."""
    return SMALL


@pytest.fixture
def written(tmp_path) -> Callable[[str], Path]:
    """Write a tasks.toml and tell where."""

    def write(text: str) -> Path:
        path = tmp_path / "tasks.toml"
        path.write_text(text, encoding="utf-8", newline="\n")
        return path

    return write


@pytest.fixture
def load(written):
    """Load a tasks.toml of this text."""
    return lambda text, **options: config.load(written(text), **options)


@pytest.fixture
def problems(load, tmp_path) -> Callable[..., list[str]]:
    """Load a tasks.toml of this text, which must fail, and give its problems with the file called tasks.toml."""

    def told(text: str, **options) -> list[str]:
        with pytest.raises(InputError) as error:
            load(text, **options)
        return [problem.replace(f"{tmp_path / 'tasks.toml'}", "tasks.toml") for problem in error.value.problems]

    return told
