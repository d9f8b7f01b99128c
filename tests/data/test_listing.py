import os
import sys
from pathlib import Path

import pytest

from cxrkit.data.listing import LEADS_OUT, images
from cxrkit.errors import InputError


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(paths, folder):
    return [found.name.removeprefix(f"{folder.as_posix()}/") for found in paths]


def test_images_are_found_in_the_depths_by_suffix_or_as_dicom(tmp_path):
    for name in ("b/2.JPG", "a.png", "c.dcm", "notes.txt", ".hidden.png", "._a.png", "__MACOSX/a.png", ".git/a.png"):
        touch(tmp_path / name)
    preamble = b"\0" * 128 + b"DICM"
    touch(tmp_path / "IM0001", preamble)
    touch(tmp_path / "1.2.840.17", preamble)
    touch(tmp_path / "README", b"no image")
    touch(tmp_path / "out/overlays/a.jpg")
    found = images([tmp_path], besides=tmp_path / "out")
    assert names(found, tmp_path) == ["1.2.840.17", "IM0001", "a.png", "c.dcm", "b/2.JPG"]


def test_a_file_that_is_named_is_taken_as_it_is_and_once(tmp_path, monkeypatch):
    touch(tmp_path / "notes.txt")
    touch(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    found = images([Path("notes.txt"), Path(), Path("a.png")], besides=Path("out"))
    assert [one.name for one in found] == ["notes.txt", "a.png"]


def test_every_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError) as caught:
        images([tmp_path / "a", tmp_path, tmp_path / "b"], besides=tmp_path / "out")
    assert caught.value.problems == tuple(
        f"{tmp_path / name}: no such file or folder, allowed are images and folders" for name in "ab"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_a_folder_is_refused_and_one_that_is_given_is_followed(tmp_path):
    touch(tmp_path / "elsewhere/private.png")
    touch(tmp_path / "given/a.png")
    (tmp_path / "given/out.png").symlink_to(tmp_path / "elsewhere/private.png")
    (tmp_path / "given/inside.png").symlink_to(tmp_path / "given/a.png")
    (tmp_path / "given/folder").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    found = images([tmp_path / "given"], besides=tmp_path / "out")
    refused = {one.path.name: one.refused for one in found}
    assert refused == {"a.png": None, "folder": LEADS_OUT, "out.png": LEADS_OUT}
    [one] = images([tmp_path / "given/out.png"], besides=tmp_path / "out")
    assert one.refused is None


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_without_suffix_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "IM0001")
    assert images([tmp_path], besides=tmp_path / "out") == []
