"""A demo that was killed before its run began; what comes after is the run's."""

import pytest

from cxrkit import locking
from cxrkit.errors import InputError
from cxrkit.run import demo


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(demo, "IMAGES", 40)
    monkeypatch.setattr(demo, "IMAGE_SIZE", 64)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_demo_that_was_killed_while_it_generated_goes_on(tmp_path, monkeypatch):
    folder = tmp_path / "demo"
    with monkeypatch.context() as patched:
        patched.setattr(demo, "write_phantom", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            demo.prepare(folder, seed=3)
    (folder / ".data.0123.partial/train").mkdir(parents=True)
    (folder / ".tasks.toml.0123.partial").touch()

    assert demo.prepare(folder, seed=3) == folder / "tasks.toml"

    assert names(folder) == ["data", "tasks.toml"]
    assert len(list((folder / "data").rglob("*.jpeg"))) == 40
    before = (folder / "data").stat().st_mtime_ns
    demo.prepare(folder, seed=3)
    assert (folder / "data").stat().st_mtime_ns == before


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty, the demo needs a directory of its own"):
        demo.prepare(tmp_path, seed=0)
    assert names(tmp_path) == ["thesis.tex"]


def test_its_own_lock_is_nothing_else(tmp_path):
    with locking.held(tmp_path / "demo", "cxrkit demo"):
        demo.prepare(tmp_path / "demo", seed=0)


def test_another_seed_is_refused(tmp_path):
    (tmp_path / "tasks.toml").write_text(demo.tasks_toml(0))
    with pytest.raises(InputError, match="is not what the demo of seed 1 writes"):
        demo.prepare(tmp_path, seed=1)
