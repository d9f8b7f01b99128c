"""``cxrkit data download`` as it is used: the real command, a real server, archives on disk, a fake kagglehub."""

import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

from cxrkit import data
from cxrkit.cli import cli
from cxrkit.config.schema import DataTable
from cxrkit.data import kaggle, published
from cxrkit.data.lifting import Lifted, lift
from cxrkit.errors import InputError


def picture(number):
    buffer = io.BytesIO()
    Image.new("L", (8, 8), number).save(buffer, "JPEG")
    return buffer.getvalue()


SET = {
    "train/NORMAL/IM-0001-0001.jpeg": picture(1),
    "train/NORMAL/IM-0002-0001.jpeg": picture(2),
    "train/PNEUMONIA/person1_bacteria_1.jpeg": picture(3),
    "test/NORMAL/IM-0003-0001.jpeg": picture(4),
    "test/PNEUMONIA/person2_virus_1.jpeg": picture(5),
}
KAGGLE_LIKE = (
    {f"chest_xray/{name}": content for name, content in SET.items()}
    | {f"chest_xray/chest_xray/{name}": content for name, content in SET.items()}
    | {"chest_xray/__MACOSX/chest_xray/._train": b"x", "chest_xray/.DS_Store": b"x"}
)


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ARCHIVE = zipped(KAGGLE_LIKE)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


def run(*arguments):
    return CliRunner().invoke(cli, ["data", "download", *map(str, arguments)], env={"COLUMNS": "200"})


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "data" / "chest_xray"


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(ARCHIVE)
    return path


# ── Archives at hand ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_archive_becomes_a_folder_that_a_run_can_use(archive, output):
    result = run(archive, "--output", output)
    assert result.exit_code == 0, result.output
    assert tree(output) == SET
    assert result.stdout.splitlines()[:5] == [
        f"{output}: complete, from archive.zip",
        f"SHA-256 of the archive: {SHA256}",
        "train: 2 NORMAL, 1 PNEUMONIA; 3 images",
        "test: 1 NORMAL, 1 PNEUMONIA; 2 images",
        "all: 5 images",
    ]
    assert "left out: 2 system files, 5 nested copies" in result.stdout
    table = tomllib.loads(result.stdout.partition("For tasks.toml:")[2])
    assert table == {"data": {"root": output.as_posix(), "positive": "PNEUMONIA", "groups": "kermany"}}
    checked = CliRunner().invoke(cli, ["data", "check", str(output)])
    assert "5 files found, 5 usable images" in checked.stdout


def test_other_numbers_than_the_published_ones_are_told_each(archive, output):
    told = run(archive, "--output", output).stderr
    assert "warning: not the published set of 5,856 images; here, and published in brackets: " in told
    assert "train NORMAL 2 (1,349); train PNEUMONIA 1 (3,883); test NORMAL 1 (234); test PNEUMONIA 1 (390)" in told


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_tar_and_tar_gz_are_taken_as_well(tmp_path, output, suffix):
    path = tmp_path / f"archive.{suffix}"
    with tarfile.open(path, "w:gz" if suffix == "tar.gz" else "w") as file:
        for name, content in SET.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    assert run(path, "--output", output).exit_code == 0
    assert tree(output) == SET


def test_the_second_call_checks_what_is_there(archive, output):
    run(archive, "--output", output)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    (output / "train" / ".DS_Store").touch()
    result = run(archive, "--output", output)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{output}: already there, and unchanged since it came from archive.zip")
    assert all(path.stat().st_mtime_ns == when for path, when in before.items() if path.is_file())


def test_the_second_call_names_what_is_no_longer_as_it_came(archive, output):
    run(archive, "--output", output)
    (output / "train/NORMAL/IM-0001-0001.jpeg").unlink()
    (output / "test/NORMAL/IM-0003-0001.jpeg").write_bytes(picture(9))
    (output / "notes.txt").touch()
    result = run(archive, "--output", output)
    assert result.exit_code == 2
    assert "missing: train/NORMAL/IM-0001-0001.jpeg; changed: test/NORMAL/IM-0003-0001.jpeg; remove" in result.stderr
    (output / "train/NORMAL/IM-0001-0001.jpeg").write_bytes(picture(1))
    (output / "test/NORMAL/IM-0003-0001.jpeg").write_bytes(picture(4))
    result = run(archive, "--output", output)
    assert result.exit_code == 0
    assert "added since: notes.txt" in result.stderr


def test_a_folder_of_something_else_is_not_touched(archive, output, tmp_path):
    output.mkdir(parents=True)
    (output / "mine.txt").write_text("mine")
    result = run(archive, "--output", output)
    assert result.exit_code == 2
    assert f"{output}: exists and is not of this command, allowed is a new or empty folder" in result.stderr
    assert tree(output) == {"mine.txt": b"mine"}
    other = tmp_path / "other.zip"
    other.write_bytes(ARCHIVE)
    run(archive, "--output", tmp_path / "full")
    result = run(other, "--output", tmp_path / "full")
    assert "full: holds the data of archive.zip, allowed is another --output" in result.stderr


def test_a_hostile_archive_leaves_nothing(tmp_path, output):
    path = tmp_path / "bad.zip"
    path.write_bytes(zipped(SET | {"../../escaped.txt": b"x"}))
    result = run(path, "--output", output)
    assert result.exit_code == 2
    assert '"../../escaped.txt" leads upwards with .., nothing was extracted' in result.stderr
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.zip"]


def test_an_interrupted_extraction_is_not_taken_for_complete(archive, output, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cxrkit.data.download.lift", interrupted)
        assert run(archive, "--output", output).exit_code == 130
    assert not output.parent.exists()
    assert run(archive, "--output", output).exit_code == 0
    assert tree(output) == SET


def test_a_set_without_splits_and_one_without_images_say_what_is_to_do(tmp_path, output):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({f"wrap/{name.partition('/')[2]}": content for name, content in SET.items()}))
    result = run(path, "--output", output)
    assert result.exit_code == 0, result.output
    assert "no split: 3 NORMAL, 2 PNEUMONIA; 5 images" in result.stdout
    assert f"make them with: cxrkit data split {output} NEW_FOLDER" in result.stderr
    path.write_bytes(zipped({"readme.txt": b"x"}))
    result = run(path, "--output", tmp_path / "empty")
    assert result.exit_code == 0
    assert "empty: no folder in it" in result.stderr
    assert '# positive = "…"' in result.stdout
    path.write_bytes(zipped({"__MACOSX/._a": b"x"}))
    result = run(path, "--output", tmp_path / "junk")
    assert (result.exit_code, "holds no file" in result.stderr) == (2, True)


def test_a_wrong_hash_is_refused_before_anything_is_extracted(archive, output):
    result = run(archive, "--output", output, "--sha256", "0" * 64)
    assert result.exit_code == 1
    assert f"archive.zip: has SHA-256 {SHA256}, expected is {'0' * 64}; nothing was extracted" in result.stderr
    assert not output.exists()
    assert archive.exists()
    assert run(archive, "--output", output, "--sha256", SHA256.upper()).exit_code == 0
    assert "is of an archive of SHA-256" in run(archive, "--output", output, "--sha256", "0" * 64).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["medeley"], 'medeley: no such file, did you mean "mendeley"?'),
        (["gone.zip"], "gone.zip: no such file, allowed are kaggle, kaggle:OWNER/NAME, mendeley, an http(s) address"),
        (["."], '.: is a folder, which needs no download: [data] root = "."'),
        (["ftp://host/a.zip"], "ftp://host/a.zip: is no address"),
        (["kaggle:../x"], 'kaggle: "../x" is no data set, allowed is kaggle:OWNER/NAME'),
        (["kaggle", "--sha256", "0" * 64], "--sha256: kagglehub checks what it fetches"),
        (["mendeley", "--sha256", "xyz"], '--sha256: "xyz" is no SHA-256, allowed are 64 hexadecimal digits'),
    ],
)
def test_a_wrong_source_is_told(output, arguments, told):
    result = run(*arguments, "--output", output)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not output.parent.exists()


# ── From the web ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_archive_from_the_web_leaves_the_folder_and_its_record(web, output):
    web.content = ARCHIVE
    result = run(f"{web.url}/set.zip?key=secret", "--output", output, "--sha256", SHA256)
    assert result.exit_code == 0, result.output
    assert tree(output) == SET
    assert sorted(path.name for path in output.parent.iterdir()) == ["chest_xray", "chest_xray.download.json"]
    record = json.loads((output.parent / "chest_xray.download.json").read_text(encoding="utf-8"))
    assert (record["source"], record["archive_sha256"]) == (f"{web.url}/set.zip", SHA256)
    assert (record["junk"], record["copies"], len(record["files"])) == (2, 5, 5)
    assert "secret" not in json.dumps(record) + result.output
    assert run(f"{web.url}/set.zip", "--output", output).exit_code == 0
    assert len(web.asked) == 1


def test_what_broke_off_goes_on_at_the_next_call(web, output):
    web.content, web.breaks = ARCHIVE, [1000, 0, 0, 0]
    result = run(f"{web.url}/set.zip", "--output", output)
    assert result.exit_code == 1
    assert "broke off, 1.0 kB are kept, the same command goes on from there" in result.stderr
    assert not output.exists()
    result = run(f"{web.url}/set.zip", "--output", output)
    assert result.exit_code == 0
    assert "going on after 1.0 kB" in result.stderr
    assert web.asked[-1]["range"] == "bytes=1000-"
    assert tree(output) == SET


HEARING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell is started without
from cxrkit.cli import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="processes get no SIGINT there")
def test_ctrl_c_in_the_terminal_is_gone_on_from(web, output):
    web.content, web.hangs = ARCHIVE, 1000
    command = [sys.executable, "-c", HEARING, "data", "download", f"{web.url}/set.zip", "--output", str(output)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    kept = output.parent / ".chest_xray.archive.partial"
    until = time.monotonic() + 60
    while not (kept.exists() and web.asked) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)  # for the bytes themselves
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: 1.0 kB are kept, the same command goes on from there" in told
    assert kept.stat().st_size == 1000
    web.hangs = None
    assert run(f"{web.url}/set.zip", "--output", output).exit_code == 0
    assert web.asked[-1]["range"] == "bytes=1000-"
    assert tree(output) == SET


def test_a_wrong_hash_from_the_web_is_fetched_anew(web, output):
    web.content = ARCHIVE[:-1] + b"x"
    result = run(f"{web.url}/set.zip", "--output", output, "--sha256", SHA256)
    assert result.exit_code == 1
    assert f"expected is {SHA256}" in result.stderr
    assert not output.parent.exists()
    web.content = ARCHIVE
    assert run(f"{web.url}/set.zip", "--output", output, "--sha256", SHA256).exit_code == 0


def test_a_page_in_place_of_an_archive_is_told_and_not_kept(web, output):
    web.content = b"<html>sign in</html>"
    result = run(f"{web.url}/set.zip", "--output", output)
    assert result.exit_code == 2
    assert "is a web page, allowed is a zip, tar or tar.gz file" in result.stderr
    assert not output.parent.exists()


def test_an_extraction_that_was_interrupted_needs_no_second_transfer(web, output, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    web.content = ARCHIVE
    with monkeypatch.context() as patch:
        patch.setattr("cxrkit.data.download.archives.extract", interrupted)
        assert run(f"{web.url}/set.zip", "--output", output).exit_code == 130
    assert run(f"{web.url}/set.zip", "--output", output).exit_code == 0
    assert len(web.asked) == 1
    assert tree(output) == SET


def test_mendeley_is_the_original_archive_with_its_hash(web, output, monkeypatch):
    monkeypatch.setattr(published, "MENDELEY_URL", f"{web.url}/file_downloaded")
    web.content, web.redirects = ARCHIVE, {"/file_downloaded": "/ChestXRay2017.zip"}
    result = run("mendeley", "--output", output)
    assert result.exit_code == 1
    assert f"mendeley: has SHA-256 {SHA256}, expected is {published.MENDELEY_SHA256}" in result.stderr
    result = run("mendeley", "--output", output, "--sha256", SHA256)
    assert result.exit_code == 0
    assert "train NORMAL 2 (1,349)" in result.stderr


def test_a_closed_server_is_told_with_the_way_around_it(web, output):
    web.statuses = [403]
    result = run(f"{web.url}/set.zip", "--output", output)
    assert result.exit_code == 2
    assert "answered 403 Forbidden, fetch the file with a browser and give its path" in result.stderr


# ── From Kaggle ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def kagglehub(monkeypatch, tmp_path):
    """A module in kagglehub's place, whose one function gives a folder of its cache and logs to standard output."""
    cache = tmp_path / "cache"
    for name, content in KAGGLE_LIKE.items():
        path = cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    asked = []

    def dataset_download(handle):
        asked.append(handle)
        print("Downloading to somewhere")  # noqa: T201 - as the library does
        return str(cache)

    module = SimpleNamespace(dataset_download=dataset_download, asked=asked, cache=cache)
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return module


def test_kaggle_is_the_default_and_its_set_is_copied_from_the_cache(kagglehub, output):
    result = run("--output", output)
    assert result.exit_code == 0, result.output
    assert kagglehub.asked == [kaggle.DEFAULT]
    assert tree(output) == SET
    assert "Downloading to somewhere" not in result.stdout
    assert f"kagglehub keeps a copy of its own in {kagglehub.cache}" in result.stderr
    assert "left out: 2 system files, 5 nested copies" in result.stdout
    assert "train NORMAL 2 (1,341)" in result.stderr
    assert "val PNEUMONIA 0 (8)" in result.stderr
    assert "already there" in run("--output", output).stdout
    assert len(kagglehub.asked) == 1


def test_any_set_of_kaggle_and_a_version_of_it_can_be_named(kagglehub, output, tmp_path):
    assert run("kaggle:owner/name", "--output", output).exit_code == 0
    assert run("kaggle:owner/name/versions/2", "--output", tmp_path / "second").exit_code == 0
    assert kagglehub.asked == ["owner/name", "owner/name/versions/2"]


def test_a_failure_of_kagglehub_is_one_sentence(kagglehub, output):
    def failing(_handle):
        raise ValueError("403 Client Error.\n\nYou don't have permission")

    kagglehub.dataset_download = failing
    result = run("--output", output)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "could not be fetched (403 Client Error. You don't have permission)" in result.stderr
    assert "without Kaggle: cxrkit data download mendeley" in result.stderr


def test_without_kagglehub_the_extra_and_the_other_source_are_named(monkeypatch, output):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    result = run("--output", output)
    assert result.exit_code == 2
    assert 'pip install "cxrkit[kaggle]"' in result.stderr
    assert "cxrkit data download mendeley" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_what_kagglehub_extracted_is_refused(kagglehub, output):
    (kagglehub.cache / "chest_xray" / "link.jpeg").symlink_to("/etc/passwd")
    result = run("--output", output)
    assert result.exit_code == 2
    assert "link.jpeg: is a link or no file, nothing was copied" in result.stderr
    assert not output.exists()


# ── What is wrapped around a set, and how many images it has ──────────────────────────────────────────────────────────


@pytest.fixture
def lifted(tmp_path):
    def done(names):
        folder = tmp_path / "lifted"
        content = folder / ".content"
        for name in names:
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(names[name] if isinstance(names, dict) else "")
        return lift(content, folder), sorted(tree(folder))

    return done


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["train/A/1"], ["train/A/1"]),
        (["x/y/Test/A/1", "x/y/masks/A/1"], ["Test/A/1", "masks/A/1"]),
        (["x/A/1", "x/B/1"], ["A/1", "B/1"]),
        (["A/1", "A/2"], ["A/1", "A/2"]),
        (["x/a/train/A/1", "x/b/train/A/1"], ["a/train/A/1", "b/train/A/1"]),
        (["x/train/A/1", "list.csv", "x/about/licence"], ["about/licence", "list.csv", "train/A/1"]),
    ],
)
def test_the_folder_of_the_splits_comes_to_the_top(lifted, names, kept):
    assert lifted(names) == (Lifted(0, 0, []), kept)


def test_a_nested_copy_is_left_out_only_where_it_is_one(lifted):
    found, kept = lifted({"x/train/A/1": "a", "x/x/train/A/1": "a", "x/x/train/A/2": "b", "x/x/test/A/1": "c"})
    assert found == Lifted(copies=1, differing=2, left_out=[])
    assert kept == ["train/A/1", "x/test/A/1", "x/train/A/2"]


def test_what_lies_around_a_set_takes_no_place_that_is_taken(lifted):
    assert lifted({"readme": "outer", "x/readme": "inner", "x/train/A/1": ""}) == (
        Lifted(0, 0, ["readme"]),
        ["readme", "train/A/1"],
    )


def test_the_published_numbers_add_up():
    assert [sum(labels.values()) for labels in published.KAGGLE.values()] == [5216, 16, 624]
    for counts in (published.KAGGLE, published.MENDELEY):
        assert published.total(counts) == 5856
        assert published.expected(counts) == counts
        assert published.differences(counts, counts) == []
    assert published.expected({"train": {"cat": 1, "dog": 1}}) is None


# ── Where data are missing ────────────────────────────────────────────────────────────────────────────────────────────


def test_missing_data_tell_the_command_that_fetches_them(tmp_path, datasets):
    remedy = f"Kermany's chest X-rays come with: cxrkit data download --output {tmp_path / 'none'}"
    assert remedy in CliRunner().invoke(cli, ["data", "check", str(tmp_path / "none")]).stderr
    with pytest.raises(InputError, match=re.escape(remedy)):
        data.build(DataTable(root="none", groups="image"), tmp_path, datasets, seed=0, training=True)
