"""Nothing of a report names an image or a patient where pseudonyms are asked for, nor a place on this machine ever."""

import base64
import csv
import getpass
import io
import os
import re
import shutil
import socket
import stat
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from cxrkit.api import ReportFigure, ReportSection
from cxrkit.cli import cli
from cxrkit.errors import InputError
from cxrkit.records import Metrics, SectionRecord, Shared, TaskInfo
from cxrkit.report import pseudonyms, write
from cxrkit.report.house import House
from cxrkit.report.naming import AS_THEY_ARE, Names, without_folders
from cxrkit.report.reading import read
from cxrkit.rundir import RunDirectory

TEXTS = ("html", "txt", "json", "md", "latex", "csv")
HOME = str(Path.home())
SHORT = 4  # letters


def call(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


def originals(run):
    """Every name of an image, whole and in part, and every key of a patient."""
    with run.manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {name for row in rows for name in (row["image"], Path(row["image"]).name, Path(row["image"]).stem)}
    return (names | {row["patient"] for row in rows}) - {""}


def parts(path):
    """A file's name, its bytes, and whatever in them is packed: streams of a PDF, base64 of a page."""
    content = path.read_bytes()
    yield path.name.encode()
    yield content
    if content.startswith(b"%PDF"):
        reader = PdfReader(io.BytesIO(content))
        yield "\n".join(page.extract_text() for page in reader.pages).encode()
        yield f"{reader.metadata} {reader.outline}".encode()
        for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
            try:
                yield zlib.decompress(packed)
            except zlib.error:
                continue
    for packed in re.findall(rb"[A-Za-z0-9+/]{64,}={0,2}", content):
        yield base64.b64decode(packed + b"=" * (-len(packed) % 4))


def named(folder, wanted):
    """Which of the wanted texts any file under a folder holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    everything = b"\n".join(part for path in files for part in parts(path))
    return {name for name in wanted if name.encode() in everything}


def copied(run, folder):
    shutil.copytree(run.root, folder)
    return RunDirectory(folder)


@pytest.fixture
def run(finished_run, tmp_path):
    """A finished run, with names and paths where others write sentences."""
    run = copied(finished_run, tmp_path / "pneumonia")
    with run.manifest.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["split"] == "test")
    path = run.task("scratch").metrics
    metrics = Metrics.read(path)
    metrics.sections.append(
        SectionRecord(
            set="test",
            title=f"Of {row['patient']}",
            paragraphs=[f"See {HOME}/cases/{row['image']}, and {Path(row['image']).stem}."],
            columns=["patient", "n"],
            rows=[[row["patient"], "3"]],
            figures=[],
        )
    )
    metrics.write(path)
    TaskInfo(task="lost", kind="trained", state="failed", failure=f"{HOME}/data/{row['image']}: broken").write(
        run.task("lost").info
    )
    info = run.info.read_text(encoding="utf-8").replace('"scratch": "finished"', '"lost":"failed","scratch":"finished"')
    run.info.write_text(info, encoding="utf-8")
    return run


def test_no_byte_of_a_report_names_anybody(run, tmp_path):
    names = pseudonyms.of_runs([run], wanted=True)
    write([run], tmp_path / "hidden", TEXTS, strict_pdf=True, house=House(names=names))
    write([run], tmp_path / "open", ["txt"], strict_pdf=True)
    assert named(tmp_path / "open", originals(run)), "the search would find them"
    assert named(tmp_path / "hidden", originals(run) | {HOME, str(tmp_path), getpass.getuser() + "@"}) == set()
    assert not named(tmp_path / "open", {f"{HOME}/", str(tmp_path)}), "with names too, a place is nobody's business"
    text = (tmp_path / "hidden" / "comparison_report.txt").read_text(encoding="utf-8")
    assert "P-" in text
    assert "I-" in text


@pytest.mark.slow
def test_no_byte_of_any_output_of_a_real_run_names_anybody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("data", "phantom", "data", "--images", 120, "--size", 64, "--seed", 5)
    Path("tasks.toml").write_text(
        '[run]\noutput = "run"\ndevice = "cpu"\nworkers = 0\n'
        '[data]\nroot = "data"\ndataset = "phantom"\nimage_size = 32\ngroups = "kermany"\n'
        'validation = { from = "train", fraction = 0.3 }\n[defaults]\nmodel = "resnet18"\nepochs = 1\n'
        '[[task]]\nname = "plain"\n[evaluation]\nresamples = 100\nsubgroups = ["pathogen"]\n'
        "[explain]\nmost = 6\ncorrect = 2\nsample = 4\n"
        '[report]\npseudonyms = true\nformats = ["html", "pdf", "txt", "json", "md", "latex", "csv"]\n',
        encoding="utf-8",
    )
    call("run", "tasks.toml", "--quiet")
    run = RunDirectory(tmp_path / "run")
    call("plot", "run", "--output", "run/report/figures", "--format", "png", "--format", "svg", "--format", "pdf")
    call("compare", "run", "--output", "run/report/compared.txt")
    weights = run.task("plain").seed(0).model
    call("evaluate", "--model", weights, "--data", "data/test", "--output", "on", "--pseudonyms", "--quiet")
    places = {HOME, str(tmp_path), f"/{getpass.getuser()}/"}
    if len(socket.gethostname()) > SHORT:  # a shorter one is in any picture by chance
        places.add(socket.gethostname())
    assert named(run.report, originals(run) | places) == set()
    assert named(tmp_path / "on" / "report", originals(RunDirectory(tmp_path / "on")) | places) == set()


def test_key_and_list_are_the_owners_and_lie_beside_the_report(run):
    done = call("report", run.root, "--pseudonyms", "--format", "txt")
    assert done.stdout.strip() == str(run.report / "comparison_report.txt")
    for path in (run.pseudonym_key, run.pseudonyms):
        assert path.parent == run.root
        if os.name != "nt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with run.pseudonyms.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert {row["original"] for row in listed} >= {name for name in originals(run) if name.startswith("test")}
    assert len({row["pseudonym"] for row in listed}) == len(listed)
    assert not list(run.report.glob("**/pseudonym*"))


def test_one_key_gives_one_pseudonym_and_another_key_another(run, finished_run, tmp_path):
    first, again = (pseudonyms.of_runs([run], wanted=True) for _ in range(2))
    assert first == again
    other = copied(finished_run, tmp_path / "other")
    assert pseudonyms.of_runs([other], wanted=True).images != first.images
    assert pseudonyms.of_runs([other], wanted=True, key=run.pseudonym_key).images == first.images
    both = pseudonyms.of_runs([run, other], wanted=None)
    assert both == AS_THEY_ARE


def test_what_the_run_says_holds_until_the_command_line_says_otherwise(make_run):
    run = make_run(cams=False, report={"pseudonyms": True})
    wanted = originals(run)
    call("compare", run.root)
    assert not named(run.report, wanted)
    call("report", run.root, "--format", "txt", "--no-pseudonyms")
    assert named(run.report, wanted)


def test_a_run_made_of_prediction_files_lies_outside_of_a_report_with_pseudonyms(tmp_path):
    rows = [f"case-{n:03d}.png,{('NORMAL', 'PNEUMONIA')[n % 2]},{n / 40:.3f},Smith{n:03d}" for n in range(40)]
    file = tmp_path / "ours.csv"
    file.write_text("image,label,p_PNEUMONIA,patient\n" + "\n".join(rows) + "\n", encoding="utf-8")
    call("report", file, "--output", tmp_path / "out", "--format", "html", "--format", "json", "--pseudonyms")
    assert not named(tmp_path / "out", {f"Smith{n:03d}" for n in range(40)} | {f"case-{n:03d}" for n in range(40)})
    assert (tmp_path / "out-run" / "pseudonyms.csv").is_file()


def test_a_key_that_was_lost_is_told_before_its_list_is(run, tmp_path):
    call("report", run.root, "--pseudonyms", "--format", "txt")
    listed, key = run.pseudonyms.read_bytes(), run.pseudonym_key.rename(tmp_path / "safe.key")
    done = CliRunner().invoke(cli, ["report", str(run.root), "--pseudonyms", "--format", "txt"])
    assert done.exit_code == 2
    assert "pseudonym.key: missing, while pseudonyms.csv lists what a key gave to reports" in done.stderr
    assert run.pseudonyms.read_bytes() == listed
    call("report", run.root, "--pseudonyms", "--pseudonym-key", key, "--format", "txt")
    assert run.pseudonyms.read_bytes() == listed
    run.pseudonyms.unlink()
    call("report", run.root, "--pseudonyms", "--format", "txt")
    assert run.pseudonyms.read_bytes() != listed


def test_a_key_that_is_none_is_refused_before_any_work(run, tmp_path):
    (tmp_path / "short.key").write_text("  too short\n", encoding="utf-8")
    for path, told in (
        (tmp_path / "short.key", "holds no key, which has 16 to 4096 bytes"),
        (tmp_path / "no.key", "cannot be read"),
    ):
        done = CliRunner().invoke(cli, ["report", str(run.root), "--pseudonym-key", str(path)])
        assert done.exit_code == 2
        assert told in done.stderr
        with pytest.raises(InputError, match=told) as error:
            pseudonyms.read_key(path, "here")
        assert "9 bytes" not in str(error.value)  # nor anything else of what a stranger's path may lead to
    assert not run.report.exists()


def test_names_that_begin_alike_are_told_apart_by_more_letters(monkeypatch):
    codes = {"a": b"\x00" * 32, "b": b"\x00" * 6 + b"\xff" * 26, "c": b"\xff" * 32}
    monkeypatch.setattr(pseudonyms.hmac, "digest", lambda _key, text, _hash: codes[text.decode()[-1]])
    found = pseudonyms._hashed(b"key", "patient", ["a", "b", "c"])
    assert found["c"] == "P-ZZZZZZZZ"
    assert found["a"] == "P-0000000000"
    assert found["b"] == "P-0000000003"


def test_the_letters_are_those_of_hmac_sha_256():
    import hashlib
    import hmac

    code = hmac.new(b"0123456789abcdef", b"image\0test/a.png", hashlib.sha256).digest()
    bits = "".join(f"{byte:08b}" for byte in code)
    letters = "".join(pseudonyms.LETTERS[int(bits[5 * place : 5 * place + 5], 2)] for place in range(8))
    assert pseudonyms._hashed(b"0123456789abcdef", "image", ["test/a.png"]) == {"test/a.png": f"I-{letters}"}


def test_sentences_lose_names_and_keep_numbers_and_words():
    names = Names(
        images={"test/NORMAL/scan 7.png": "I-AAAAAAAA", "test/NORMAL/12.png": "I-BBBBBBBB"},
        patients={"12": "P-CCCCCCCC", "NORMAL": "P-DDDDDDDD", "Smith": "P-EEEEEEEE"},
        words=frozenset({"NORMAL"}),
    )
    assert names.text("12 images of NORMAL; Smith, 12.png.") == "12 images of NORMAL; P-EEEEEEEE, I-BBBBBBBB."
    assert names.text("test/NORMAL/scan 7.png: truncated") == "I-AAAAAAAA: truncated"
    told = "train and test share 1 patient, e.g. 12 (test/NORMAL/12.png and x.png); split anew"
    assert names.text(told) == "train and test share 1 patient, e.g. P-CCCCCCCC (I-BBBBBBBB and x.png); split anew"
    shared = Shared(splits=("train", "test"), count=1, example="12: test/NORMAL/12.png and x.png")
    assert names.document(shared).example == "P-CCCCCCCC: I-BBBBBBBB and x.png"
    section = ReportSection(
        "Of Smith", ("By 12.",), ("Patient", "n"), (("12", "12"),), (ReportFigure(b"", "Smith", "Smith"),)
    )
    found = names.section(section)
    assert found.rows == (("P-CCCCCCCC", "12"),)
    assert (found.title, found.paragraphs[0], found.figures[0].alt) == ("Of P-EEEEEEEE", "By 12.", "P-EEEEEEEE")


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("shared, e.g. 7 Mai (a.png and b.png)", "shared, e.g. P-C (a.png and b.png)"),
        ("7 Mai: a.png", "P-C: a.png"),
        ("one, e.g. 7 Mai (a), two, e.g. 7 Mai (b), e.g. 7 Mai", "one, e.g. P-C (a), two, e.g. P-C (b), e.g. 7 Mai"),
        ("shared, e.g. 7 Mai(a)", "shared, e.g. 7 Mai(a)"),
        ("shared, e.g. 7 Mai)", "shared, e.g. 7 Mai)"),
        ("shared, e.g.  (a)", "shared, e.g.  (a)"),
        (", e.g. a" * 100_000, ", e.g. a" * 100_000),  # would take minutes, were each looked at to the end
    ],
)
def test_keys_that_are_given_as_examples_get_pseudonyms(told, left):
    names = Names(images={"x.png": "I-A"}, patients={"7 Mai": "P-C"}, words=frozenset({"7 Mai"}))
    assert names.text(told) == left


def test_columns_of_the_manifest_that_are_no_subgroups_are_not_shown():
    row = {"image": "a.png", "patient": "p1", "sex": "F", "accession": "A-17", "label": "NORMAL"}
    names = Names(images={"a.png": "I-A"}, patients={"p1": "P-B"}, shown=frozenset({"sex"}))
    assert names.row(row) == {"image": "I-A", "patient": "P-B", "sex": "F", "label": "NORMAL"}
    assert AS_THEY_ARE.row(row) == row


def test_paths_lose_their_folders():
    told = f"weights {HOME}/my models/net.pth and C:\\a\\b\\c.csv"
    assert without_folders(told) == "weights my models/net.pth and c.csv"
    others = r"at file:///home/me/a.png, \\server\xrays\b.png, logo:/home/me/c.svg"
    assert without_folders(others) == "at a.png, b.png, logo:c.svg"
    unchanged = "see https://example.org/a/b and 1/2 and and/or"
    assert without_folders(unchanged) == unchanged


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("/srv/Dr Meyer/secret/x.png is damaged", "x.png is damaged"),
        ("/srv/X-ray 2017 Kiel/of.unit/x.png", "x.png"),
        (r"D:\Anna Maria Schmidt\x.png and D:\b\y.png", "x.png and y.png"),
        (f"{HOME}/Dr Meyer/x.png", "x.png"),
        (f"{HOME}/x.png and 3 of 1/2", "x.png and 3 of 1/2"),
        ("/srv/x.png and either/or", "x.png and either/or"),
        ("/srv/x.png Either/or, /srv/x.jpeg Either/or", "x.png Either/or, x.jpeg Either/or"),
        ("/site.org/x.png", "x.png"),
    ],
)
def test_paths_lose_folders_of_several_words(told, left):
    """A person's name, most of all."""
    assert without_folders(told) == left


def test_paths_lose_the_working_folder_of_any_words(tmp_path, monkeypatch):
    (tmp_path / "of dr meyer").mkdir()
    monkeypatch.chdir(tmp_path / "of dr meyer")
    assert without_folders(f"{tmp_path}/of dr meyer/runs/b/x.png") == "x.png"


def test_predictions_that_chapters_read_have_pseudonyms(run):
    names = pseudonyms.of_runs([run], wanted=True)
    found = read([run], names).task("scratch").predictions("test")
    assert set(found.images) <= set(names.images.values())
    assert set(found.patients) <= set(names.patients.values())
    plain = read([run]).task("scratch").predictions("test")
    assert [names.image(name) for name in plain.images] == found.images.tolist()
