"""Archives, sound and hostile, as zip, tar and tar.gz."""

import gzip
import io
import os
import re
import stat
import struct
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from cxrkit.data import archive_names, archives
from cxrkit.errors import InputError, RunError

FILES = {"set/train/a.png": b"one", "set/./test//b.png": b"two" * 500, "set/empty.txt": b""}


def zipped(path, entries):
    """Write a zip of (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def tarred(path, entries):
    """Write a tar, or a tar.gz by its suffix, of (name or TarInfo, bytes)."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            file.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(params=["a.zip", "a.tar", "a.tar.gz"])
def packed(request, tmp_path):
    path = tmp_path / request.param
    return lambda *entries: (zipped if path.suffix == ".zip" else tarred)(path, entries)


@pytest.fixture
def extract(tmp_path, heard):
    def extracted(archive):
        target = tmp_path / "target"
        target.mkdir(exist_ok=True)
        return archives.extract(archive, target, heard.watch)

    return extracted


@pytest.fixture
def refuse(tmp_path, extract):
    """Extract what must be refused with this sentence, and see that nothing was written anywhere."""

    def refused(archive, told):
        with pytest.raises(InputError, match=told) as error:
            extract(archive)
        assert str(error.value).startswith(f"{archive}: ")
        assert "\n" not in str(error.value)
        assert list((tmp_path / "target").rglob("*")) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([archive.name, "target"])

    return refused


def written(tmp_path):
    root = tmp_path / "target"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_sound_archive_is_extracted_with_its_progress(packed, extract, tmp_path, heard):
    found = extract(packed(*FILES.items()))
    assert written(tmp_path) == {
        "set/train/a.png": b"one",
        "set/test/b.png": b"two" * 500,
        "set/empty.txt": b"",
    }
    assert found == archives.Extracted(files=3, junk=0)
    assert heard.steps[-1] == ("Extracting", 1503, 1503)


def test_junk_is_left_out_and_counted(packed, extract, tmp_path):
    junk = ["__MACOSX/set/._a.png", "set/.DS_Store", "set/train/._a.png", "set/Thumbs.db", "set/desktop.ini"]
    assert extract(packed(*FILES.items(), *((name, b"x") for name in junk))) == archives.Extracted(files=3, junk=5)
    assert len(written(tmp_path)) == 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../out.png", "leads upwards with .."),
        ("set/../../out.png", "leads upwards with .."),
        ("..\\out.png", "leads upwards with .."),
        ("__MACOSX/../../out.png", "leads upwards with .."),
        ("/tmp/out.png", "is an absolute path"),
        ("\\out.png", "is an absolute path"),
        ("//host/share/out.png", "is an absolute path"),
        ("C:/out.png", "begins with a drive letter"),
        ("c:out.png", "begins with a drive letter"),
        ("set/a\x1b[2Jb.png", "has a control character in its name"),
        ("set/a\nb.png", "has a control character in its name"),
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(packed, refuse, name, told):
    refuse(packed(("set/a.png", b"x"), (name, b"x")), f'".*" {re.escape(told)}, nothing was extracted')


def test_a_nul_in_a_name_is_refused(refuse, tmp_path):
    path = zipped(tmp_path / "a.zip", [("set/a.pngXexe", b"x")])
    path.write_bytes(path.read_bytes().replace(b"a.pngXexe", b"a.png\0exe"))
    refuse(path, "has a NUL in its name")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["set/a.png", "set/A.PNG"], "differ only in how they are spelled"),
        (["set/a.png", "SET/b.png"], "differ only in how they are spelled"),
        (["set/é.png", "set/e\u0301.png"], "differ only in how they are spelled"),
        (["set/a.png", "set/a.png. "], "differ only in how they are spelled"),
        (["set/a.png", "set/./a.png"], 'holds "set/a.png" twice'),
        (["set/a", "set/a/b.png"], 'holds "set/a" as a file and as a folder'),
    ],
)
def test_names_that_some_system_takes_for_one_are_refused(packed, refuse, names, told):
    refuse(packed(*((name, b"x") for name in names)), told)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(refuse, tmp_path, kind):
    info = zipfile.ZipInfo("set/a.png")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    refuse(
        zipped(tmp_path / "a.zip", [("b.png", b"x"), (info, b"/etc/passwd")]),
        '"set/a.png" is a ' + ("link" if kind == stat.S_IFLNK else "device"),
    )


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(refuse, tmp_path, kind, suffix):
    info = tarfile.TarInfo("set/a.png")
    info.type, info.linkname = kind, "/etc/passwd"
    told = "link" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "device"
    refuse(tarred(tmp_path / f"a.{suffix}", [("b.png", b"x"), (info, b"")]), f'"set/a.png" is a {told}')


def test_a_link_that_a_later_file_goes_through_is_refused(refuse, tmp_path):
    info = tarfile.TarInfo("set")
    info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path)
    refuse(tarred(tmp_path / "a.tar", [(info, b""), ("set/out.png", b"x")]), '"set" is a link')


def test_what_grows_out_of_proportion_is_refused(packed, refuse, monkeypatch):
    monkeypatch.setattr(archives, "_SMALL", 1000)
    bomb = packed(("set/a.png", bytes(3_000_000)), ("set/b.png", bytes(3_000_000)))
    if bomb.suffix == ".tar":
        monkeypatch.setattr(archives, "MOST_TIMES_LARGER", 0)
    refuse(bomb, "holds more than .* bytes, too many for an archive of its size")


def test_too_many_files_are_refused(packed, refuse, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ENTRIES", 20)
    refuse(packed(*((f"{number}.png", b"") for number in range(21))), "holds more than 20 entries")


def test_a_file_that_is_longer_than_declared_is_refused(tmp_path, heard):
    path = zipped(tmp_path / "a.zip", [("a.png", bytes(100_000))])
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\1\2")
    struct.pack_into("<L", content, directory + 24, 10)  # its size, and so its check sum is wrong as well
    path.write_bytes(content)
    (tmp_path / "target").mkdir()
    with pytest.raises(InputError, match=r"is damaged|is not as long as declared"):
        archives.extract(path, tmp_path / "target", heard.watch)
    assert sum(path.stat().st_size for path in (tmp_path / "target").rglob("*")) <= 10


def test_a_tar_that_declares_more_than_it_holds_is_refused(refuse, tmp_path):
    info = tarfile.TarInfo("a.png")
    info.size = 5_000_000
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf() + bytes(2048))
    refuse(path, "is damaged")


@pytest.mark.parametrize("size", [2**40, 10**8])
def test_a_forged_header_fills_no_memory(refuse, tmp_path, size):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    refuse(path, r"a header of \d{9,} bytes")


def test_holes_are_refused(refuse, tmp_path):
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": "9",
    }
    info.size = 1
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + b"x".ljust(512, b"\0") + bytes(1024))
    refuse(path, "has holes that are not stored")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.85])
def test_a_cut_archive_is_refused(packed, refuse, cut):
    path = packed(*((f"{number}.png", os.urandom(3000)) for number in range(10)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut)])
    refuse(path, "is damaged or cannot be read")


def test_a_tar_that_breaks_between_two_files_is_refused(refuse, tmp_path):
    path = tarred(tmp_path / "a.tar", [(f"{number}.png", bytes(512)) for number in range(10)])
    content = bytearray(path.read_bytes())
    content[4096:4608] = b"x" * 512  # tarfile takes any broken header for the end
    path.write_bytes(content)
    refuse(path, "no end where one is due")


def test_a_changed_byte_is_found_by_the_check_sum(tmp_path, heard):
    for path in (zipped(tmp_path / "a.zip", [(zipfile.ZipInfo("a"), b"abcdef")]), tmp_path / "a.tar.gz"):
        if path.suffix == ".gz":
            whole = gzip.compress(tarred(tmp_path / "a.tar", [("a", b"abcdef")]).read_bytes(), compresslevel=0)
            path.write_bytes(whole)
        path.write_bytes(path.read_bytes().replace(b"abcdef", b"abcdeg"))
        target = tmp_path / path.suffix
        target.mkdir()
        with pytest.raises(InputError, match="is damaged"):
            archives.extract(path, target, heard.watch)


def test_an_encrypted_zip_is_refused(refuse, tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", b"x")])
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    refuse(path, '"a.png" is encrypted')


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "is a web page"),
        (b"\xff\xd8\xff\xe0 a picture", "is no archive"),
        (gzip.compress(b"no tar", mtime=0), "is damaged"),
        (b"PK\3\4 no more", "is damaged"),
    ],
)
def test_what_is_no_archive_is_told(refuse, tmp_path, content, told):
    (tmp_path / "a.zip").write_bytes(content)
    refuse(tmp_path / "a.zip", told)


def test_a_full_disk_is_told_before_anything_is_written(packed, extract, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrkit.data.watching.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(RunError, match=r"1\.5 kB are needed to extract a\.\w+.*, 1\.0 kB are free"):
        extract(packed(*FILES.items()))
    assert written(tmp_path) == {}


def test_harmless_names_are_allowed():
    for name in (
        "a.png",
        "set/person1_virus_6.jpeg",
        "..a/b..",
        "NORMAL2-IM-0001.jpeg",
        "bild ä (1).png",
        "./",
        "n" * 255,
    ):
        assert archive_names.refused(name) is None


def test_names_that_no_system_takes_are_refused_however_they_are_packed(packed, refuse):
    refuse(packed(("a/" * 600 + "b.png", b"x")), "has a name of more than 1024 bytes")


@pytest.mark.parametrize("name", ["set/" + "n" * 252 + ".png", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 128 + "/a.png"])
def test_names_that_no_file_system_takes_are_refused_before_anything_is_written(packed, refuse, name):
    refuse(packed(("set/a.png", b"x"), (name, b"x")), "has a file's or folder's name of more than 255 bytes")


def test_folders_without_number_are_refused(packed, refuse, monkeypatch):
    monkeypatch.setattr(archive_names, "MOST_FOLDERS", 30)
    refuse(packed(("b/" * 20 + "c.png", b""), ("a/" * 20 + "c.png", b"")), "holds more than 30 folders")


def test_folders_that_files_share_are_looked_at_once(monkeypatch):
    looked = []
    folded = archive_names._folded
    monkeypatch.setattr(archive_names, "_folded", lambda path: looked.append(path) or folded(path))
    assert archive_names.conflict("b/" * 100 + f"{number}.png" for number in range(50)) is None
    assert len(looked) == 100 + 50


@pytest.mark.parametrize(
    "name", ["con", "a/NUL.png", "LPT1", "aux.tar.gz", "com\N{SUPERSCRIPT ONE}", "nul .txt", "a.png:b"]
)
def test_names_that_windows_keeps_for_devices_and_streams_are_refused_there_alone(name):
    assert archive_names.refused(name, windows=True) is not None
    assert archive_names.refused(name, windows=False) is None
    for sound in ("console.png", "a/null.png", "com.png", "aux_1/b"):
        assert archive_names.refused(sound, windows=True) is None


def test_the_list_of_a_zip_is_read_only_as_far_as_lists_reach(refuse, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_LONGEST_LIST", 500)
    refuse(zipped(tmp_path / "a.zip", [(f"{number}.png", b"") for number in range(20)]), "a header of ")


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_nobody_waits_for_a_pipe(refuse, tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    refuse(tmp_path / "a.zip", "cannot be read \\(is no regular file\\)")
