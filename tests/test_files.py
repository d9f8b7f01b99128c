import errno
import os
import stat
from pathlib import Path

import pytest

from cxrkit import files
from cxrkit.data import folders
from cxrkit.errors import RunError
from cxrkit.files import disk_fault, replacing, write_bytes, write_private, writing

REMEDIES = {
    "ENOSPC": "free space on that disk or choose another folder",
    "EDQUOT": "free space within your quota or choose another folder",
    "EROFS": "it is mounted for reading alone, choose another folder",
    "EACCES": "get the right to it, or choose a folder that you may write to",
    "EIO": "the disk reports a fault, look after it or choose another folder",
    "ENOENT": "is its disk still mounted? mount it again, or choose another folder",
    "ESTALE": "is its disk still mounted? mount it again, or choose another folder",
    "EMFILE": "too many files are open, raise the limit (ulimit -n)",
    "ECHILD": "choose another folder",
}


def failing(name, *arguments):
    number = getattr(errno, name)

    def fail(*_arguments, **_named):
        raise OSError(number, os.strerror(number), *arguments)

    return fail


@pytest.mark.parametrize("name", REMEDIES)
@pytest.mark.parametrize("step", ["mkdir", "write", "flush", "rename"])
def test_whatever_step_fails_the_file_of_before_stays_and_the_remedy_fits(tmp_path, monkeypatch, name, step):
    path = tmp_path / "a.json"
    path.write_text("before")
    fail = failing(name)
    match step:
        case "mkdir":
            monkeypatch.setattr(Path, "mkdir", fail)
        case "write":
            monkeypatch.setattr(Path, "write_bytes", fail)
        case "flush":
            monkeypatch.setattr(files.os, "fsync", fail)
        case "rename":
            monkeypatch.setattr(Path, "replace", fail)

    with pytest.raises(RunError) as told:
        write_bytes(path, b"after")

    monkeypatch.undo()
    assert str(told.value) == f"{path}: cannot be written ({os.strerror(getattr(errno, name))}), {REMEDIES[name]}"
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.json", "before")]


def test_a_disk_that_is_gone_when_the_rest_is_cleared_away_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", failing("EIO"))
    monkeypatch.setattr(Path, "unlink", failing("EIO"))
    with pytest.raises(RunError, match="the disk reports a fault"):
        write_bytes(tmp_path / "a.json", b"")


@pytest.mark.parametrize("name", ["ENOENT", "EACCES", "EIO"])
def test_a_file_that_is_read_meanwhile_is_named_in_place_of_the_one_that_is_written(tmp_path, name):
    with pytest.raises(RunError, match=r"^/data/a\.png: cannot be read \("), writing(tmp_path / "b.png"):
        failing(name, "/data/a.png")()


def test_on_a_full_disk_the_written_file_is_named_also_where_a_copy_failed(tmp_path):
    path = tmp_path / "b.png"
    with pytest.raises(RunError) as told, writing(path):
        failing("ENOSPC", "/data/a.png", None, str(path))()
    assert str(told.value).startswith(f"{path}: cannot be written (")


def test_a_folder_above_that_may_not_be_written_is_no_file_that_is_read(tmp_path):
    path = tmp_path / "new/a.json"
    with pytest.raises(RunError, match=r"a\.json: cannot be written"), writing(path):
        failing("EACCES", str(tmp_path / "new"))()


def test_a_folder_comes_into_being_whole_or_not_at_all(tmp_path):
    def fill():
        with folders.creating(tmp_path / "set") as folder:
            (folder / "a.png").write_text("a")
            failing("ENOSPC")()

    with pytest.raises(RunError, match=r"set: cannot be written \(.*\), free space"):
        fill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "full", "a"), "a: cannot be written (full), free space on that disk"),
        (OSError(errno.ENOSPC, "full"), "a file cannot be written (full), free space on that disk"),
        (OSError(errno.ESTALE, "stale", "a.png"), "a.png: cannot be"),
        (OSError(errno.ENOENT, "no such file", "a"), None),
        (OSError(errno.ECHILD, "no child"), None),
        (OSError("without number"), None),
        (ValueError("a"), None),
    ],
)
def test_what_a_disk_refuses_is_told_from_faults_of_the_program(error, sentence):
    told = disk_fault(error)
    assert told is None if sentence is None else told.startswith(sentence)


def test_what_is_given_to_write_to_takes_the_place_of_what_was(tmp_path):
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "new")]


posix = pytest.mark.skipif(os.name == "nt", reason="rights are POSIX")


@pytest.fixture
def umask():
    """Take rights off what is made; put back what was."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@posix
def test_a_file_has_the_rights_that_the_user_gives_files_and_a_private_one_its_owners_alone(
    tmp_path, umask, monkeypatch
):
    """Without setting the mask, as that would be every thread's for a moment."""
    monkeypatch.setattr(os, "umask", lambda _mask: pytest.fail("the mask was set"))
    write_bytes(tmp_path / "open", b"")
    write_private(tmp_path / "private", "")
    monkeypatch.undo()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open", "private")] == [0o640, 0o600]


@posix
def test_a_folder_within_one_that_all_may_write_to_is_not_open_to_all(tmp_path, umask):
    tmp_path.chmod(0o777)
    with folders.creating(tmp_path / "set"):
        pass
    assert stat.S_IMODE((tmp_path / "set").stat().st_mode) == 0o750


@pytest.mark.parametrize("letter", ["a", "肺", "🫁"])
def test_a_name_that_the_file_system_takes_is_not_too_long_for_what_is_written_beside_it(tmp_path, letter):
    path = tmp_path / (letter * (240 // len(letter.encode())) + ".json")
    write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"
    folder = path.with_suffix("")
    with folders.creating(folder):
        pass
    assert folder.is_dir()


@posix
@pytest.mark.parametrize(("name", "is_told"), [("EINVAL", False), ("ENOTSUP", False), ("EIO", True)])
def test_a_drive_that_forces_no_folders_to_disk_takes_files_all_the_same(tmp_path, monkeypatch, name, is_told):
    flush = os.fsync

    def of_files_alone(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            failing(name)()
        flush(descriptor)

    monkeypatch.setattr(files.os, "fsync", of_files_alone)
    if is_told:
        with pytest.raises(RunError, match="the disk reports a fault"):
            write_bytes(tmp_path / "a", b"new")
    else:
        write_bytes(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new"
