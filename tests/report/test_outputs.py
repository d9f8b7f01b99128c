"""The outputs for programs and papers, report.json, model cards, LaTeX and CSV: each read back by what others use."""

import csv
import json
import re
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.metrics import decide
from cxrkit.records import Comparison, Metrics, ReportDocument, RunInfo, TaskInfo
from cxrkit.report import filing, write
from cxrkit.report.formats.front_matter import render as front_matter
from cxrkit.report.formats.latex import escaped as latex_escaped
from cxrkit.report.formats.markdown import escaped as markdown_escaped

DATA_FORMATS = ("json", "md", "latex", "csv")
HOSTILE = "<img src=x onerror=alert(1)>"
NASTY_CLASS = f"=A1|`{HOSTILE}`$x_1$ \\input{{/etc/passwd}}%#&~^ é"


@pytest.fixture(scope="module")
def outputs(finished_run, tmp_path_factory):
    return written(finished_run, tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def hostile(make_run, tmp_path_factory):
    """A report in which class, image, title, author and intended use try to become markup."""
    run = make_run(
        classes=("NORMAL", NASTY_CLASS),
        cams=False,
        rename=lambda name: f"-{HOSTILE}/{name}",
        report={
            "title": f"A: title\n---\nlicense: mit {HOSTILE}",
            "authors": [f"@author, *{HOSTILE}*", "=HYPERLINK(1)"],
            "intended_use": f"| a | b |\n# {HOSTILE}",
        },
    )
    return written(run, tmp_path_factory.mktemp("hostile"))


def written(run, folder):
    paths, warnings = write([run], folder, DATA_FORMATS, strict_pdf=False)
    assert warnings == []
    assert paths == [folder / name for name in ("report.json", "model_cards", "tables")]
    return SimpleNamespace(run=run, folder=folder, json=json.loads((folder / "report.json").read_text("utf-8")))


def files(outputs, pattern):
    found = sorted(outputs.folder.glob(pattern))
    assert found
    return found


# ── report.json ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_valid_by_its_schema_and_has_no_nan(outputs):
    text = (outputs.folder / "report.json").read_text(encoding="utf-8")
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    jsonschema.validate(document, ReportDocument.model_json_schema(mode="serialization"))
    assert document["schema_version"] == 1
    assert document["head"]["date"] == RunInfo.read(outputs.run.info).finished


def test_json_has_every_record_threshold_and_comparison_as_the_run_has_them(outputs):
    assert [model["name"] for model in outputs.json["models"]] == ["scratch", "transfer"]
    for model in outputs.json["models"]:
        task = outputs.run.task(model["name"])
        assert Metrics.model_validate(model["metrics"]).records == Metrics.read(task.metrics).records
        threshold = TaskInfo.read(task.info).threshold
        assert model["info"]["threshold"] == threshold.model_dump()
    recorded = Comparison.read(outputs.run.comparison).records
    assert outputs.json["comparisons"] == [one.model_dump(by_alias=True) for one in recorded]


def test_json_lists_every_error_with_each_model_s_call(outputs):
    expected = {}
    for model in outputs.json["models"]:
        task = outputs.run.task(model["name"])
        rows = pd.read_csv(task.predictions("test"))
        positive = rows["p_PNEUMONIA"].to_numpy()
        called = decide(np.stack([1 - positive, positive], axis=1), 1, model["info"]["threshold"]["value"])
        wrong = called != (rows["label"] == "PNEUMONIA").to_numpy()
        for image, p, is_wrong in zip(rows["image"], positive, wrong, strict=True):
            expected.setdefault(image, []).append((model["name"], float(p), bool(is_wrong)))
    expected = {image: calls for image, calls in expected.items() if any(wrong for *_, wrong in calls)}
    found = {
        one["image"]: [(call["model"], call["value"], call["wrong"]) for call in one["calls"]]
        for one in outputs.json["errors"]
    }
    assert found.keys() == expected.keys()
    for image, calls in found.items():
        assert [call[::2] for call in calls] == [call[::2] for call in expected[image]]
        assert [call[1] for call in calls] == pytest.approx([call[1] for call in expected[image]])


def test_json_has_the_chapters_with_tables_and_figures_in_words(outputs):
    chapters = {one["title"]: one["blocks"] for one in outputs.json["chapters"]}
    table = next(block for block in chapters["Results on the test set"] if block["kind"] == "table")
    assert [column["title"] for column in table["columns"]] == ["", "scratch", "transfer"]
    assert all(len(row) == 3 for row in table["rows"])
    record = next(
        one
        for one in Metrics.read(outputs.run.task("transfer").metrics).records
        if (one.metric, one.set, one.unit, one.condition, one.subgroup) == ("roc_auc", "test", "image", None, None)
    )
    auc = next(row[2] for row in table["rows"] if row[0]["text"] == "AUC")
    assert (auc["text"], auc["detail"]) == (f"{record.value:.3f}", f"{record.low:.3f} to {record.high:.3f}")
    figures = [block for blocks in chapters.values() for block in blocks if block["kind"] == "figures"]
    assert figures
    assert all(one["alt"] and one["caption"] for block in figures for one in block["figures"])
    assert "<svg" not in json.dumps(outputs.json)


def test_absolute_paths_stay_on_this_machine(make_run, tmp_path):
    run = make_run(cams=False, failed={"third": "/home/me/weights/a.pth: no such file"})
    info = TaskInfo.read(run.task("scratch").info)
    info.model_copy(update={"options": {"model": {"weights": "/home/me/weights/b.pth"}}}).write(
        run.task("scratch").info
    )
    write([run], tmp_path, (*DATA_FORMATS, "txt"), strict_pdf=False)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        text = path.read_text(encoding="utf-8")
        assert "/home/me" not in text, path
        assert str(run.root) not in text, path
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["failures"][0]["reason"] == "a.pth: no such file"
    assert document["models"][0]["info"]["options"]["model"]["weights"] == "b.pth"


def test_json_keeps_hostile_names_as_they_are(hostile):
    assert hostile.json["positive"] == NASTY_CLASS
    assert hostile.json["head"]["authors"][0] == f"@author, *{HOSTILE}*"
    assert hostile.json["errors"][0]["image"].startswith(f"-{HOSTILE}/test/")


# ── Model cards ───────────────────────────────────────────────────────────────────────────────────────────────────────


def card(outputs, name="transfer"):
    text = (outputs.folder / "model_cards" / f"{name}.md").read_text(encoding="utf-8")
    _, head, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(head), body


def test_a_card_for_each_model_whose_index_has_the_figures_of_metrics_json(outputs):
    assert [path.stem for path in files(outputs, "model_cards/*")] == ["scratch", "transfer"]
    head, _ = card(outputs)
    assert (head["library_name"], head["pipeline_tag"], head["language"]) == ("cxrkit", "image-classification", ["en"])
    assert "license" not in head
    (index,) = head["model-index"]
    assert index["name"] == "transfer"
    (result,) = index["results"]
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"]["split"] == "test"
    recorded = {
        one.metric: one.value
        for one in Metrics.read(outputs.run.task("transfer").metrics).records
        if (one.set, one.condition, one.subgroup, one.prevalence) == ("test", None, None, None)
        and (one.unit, one.calibrated, one.class_name) == ("image", None, None)
    }
    found = {one["type"]: one for one in result["metrics"]}
    assert {"accuracy", "roc_auc", "recall", "specificity", "brier_score"} <= found.keys() == set(head["metrics"])
    for kind, metric in {"roc_auc": "roc_auc", "accuracy": "accuracy", "recall": "sensitivity"}.items():
        assert found[kind]["value"] == recorded[metric]
    assert all(one["verified"] is False for one in found.values())


def test_a_card_tells_what_a_reader_needs(outputs):
    _, body = card(outputs)
    titles = re.findall(r"^## (.*)", body, re.MULTILINE)
    assert titles == [
        "Model description",
        "Intended use and limitations",
        "Training data and procedure",
        "Evaluation",
        "Calibration",
        "Compute",
        "How to use",
    ]
    assert "No intended use was stated." in body
    assert re.search(r"Decides at a threshold of 0\.\d+.*chosen on 80 images of the validation set", body)
    assert re.search(r"\| AUC \| [01]\.\d{3}(?: †)? \(0\.\d{3} to \d\.\d{3}\) \|", body)
    assert "tasks/transfer/seeds/0/model.safetensors" in body
    assert "scratch" not in body


def test_a_card_of_predictions_says_that_the_model_is_not_at_hand(make_run, tmp_path):
    outputs = written(make_run(skill={"vendor": 2.0}, trained=False), tmp_path)
    head, body = card(outputs, "vendor")
    assert "library_name" not in head
    assert "The model is not at hand" in body


def test_names_do_not_become_metadata_or_markup_of_a_card(hostile):
    head, body = card(hostile)
    assert "license" not in head
    auc = next(one for one in head["model-index"][0]["results"][0]["metrics"] if one["type"] == "roc_auc")
    assert auc["name"] == f"AUC ({NASTY_CLASS})"
    assert not re.search(r"(?<!\\)<", body)
    assert "\n# \\<img" not in body
    assert f"Developed by:** \\@author, \\*{HOSTILE.replace('<', chr(92) + '<').replace('>', chr(92) + '>')}" in body
    assert "## Citation" in body
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert rows
    lengths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    for before, after in pairwise(rows):
        if body.find(f"{before}\n{after}") >= 0:  # of one table
            assert lengths[rows.index(before)] == lengths[rows.index(after)], (before, after)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "null",
        "1e3",
        "a: b # c",
        '"quoted" \\n',
        "line\nbreak\r\ttab",
        "\x85\u2028\u2029\x7f\x00\ufeff",
        "é😀",
        "---",
    ],
)
def test_front_matter_gives_every_text_back(text):
    values = {"a": text, "b": [text, {"c": text, "d": [1.5, True]}], "e": {"f": text}}
    assert yaml.safe_load(front_matter(values).removeprefix("---\n").removesuffix("---\n")) == values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b `c` *d* <e> [f](g)", r"a\|b \`c\` \*d\* \<e\> \[f\](g)"),
        ("# no title\n- no list", r"\# no title - no list"),
        ("1. no list", r"1\. no list"),
        ("https://example.org www.example.org a@b", r"https\://example.org www\.example.org a\@b"),
        ("$x$ &amp; ~y~ \\", r"\$x\$ \&amp; \~y\~ \\"),
    ],
)
def test_markdown_shows_text_as_it_is(text, shown):
    assert markdown_escaped(text) == shown


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\\{}$&#%", r"\textbackslash{}\{\}\$\&\#\%"),
        ("a_b^c~d", r"a\_\allowbreak{}b\textasciicircum{}c\textasciitilde{}d"),
        ("line\nbreak\r\t\x00", "line break   "),
        ('[*] <>|"`', r"{[}{*}{]} \textless{}\textgreater{}\textbar{}{''}\textasciigrave{}"),
        ("\N{MINUS SIGN}0.5 \N{EN DASH} 1\N{NO-BREAK SPACE}pp", r"$-$0.5 --{} 1~pp"),
        ("a--b ''", "a-{}-b '{}'"),
        (
            "▲▼✗✓†\N{MULTIPLICATION SIGN}≥",
            r"$\blacktriangle$$\blacktriangledown$$\times$$\checkmark$\dag{}$\times$$\geq$",
        ),
        ("éçŁ e\N{COMBINING ACUTE ACCENT}", r"\'{e}\c{c}{\L} \'{e}"),
        ("肺😀", r"\texttt{U+80BA}\texttt{U+1F600}"),
    ],
)
def test_latex_shows_text_as_it_is_in_ascii(text, shown):
    assert latex_escaped(text) == shown
    assert latex_escaped(text).isascii()


def test_every_table_is_a_snippet_with_caption_and_label_and_one_document_shows_all(outputs):
    everything = (outputs.folder / "tables" / "all-tables.tex").read_text(encoding="utf-8")
    labels = set()
    for path in [path for path in files(outputs, "tables/*.tex") if path.name != "all-tables.tex"]:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("% Preamble: \\usepackage{")
        assert re.search(r"\\begin\{(long)?table\}", text)
        assert text.count("\\begin{") == text.count("\\end{")
        assert text.count(r"\toprule") >= 1
        (label,) = re.findall(r"\\caption\{.*\}\\label\{tab:(.*?)\}", text)
        assert label == path.stem
        labels.add(label)
        assert f"\\input{{{path.stem}}}" in everything
    assert {"results-1", "errors-1", "data-1"} <= labels
    first = (outputs.folder / "tables" / "results-1.tex").read_text(encoding="utf-8")
    assert re.search(r"AUC & \\begin\{tabular\}.*0\.\d{3}.*\(0\.\d{3} to", first)


def test_names_do_not_become_commands_of_latex(hostile):
    for path in files(hostile, "tables/*.tex"):
        text = path.read_text(encoding="ascii")
        if path.name != "all-tables.tex":
            assert "\\input" not in text
            assert not re.search(r"(?<!\\)\$x", text)
            rows = [line for line in text.splitlines() if line.endswith(r"\\")]
            ends = len({len(re.findall(r"(?<!\\)&", row)) for row in rows if " & " in row})
            assert ends <= 1, path


# ── CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def table(outputs, name):
    return pd.read_csv(outputs.folder / "tables" / f"{name}.csv")


def test_csv_gives_value_and_interval_as_numbers_of_their_own(outputs):
    found = table(outputs, "results-1").set_index("column 1")
    records = {
        one.metric: one
        for one in reversed(Metrics.read(outputs.run.task("transfer").metrics).records)
        if (one.set, one.condition, one.subgroup, one.prevalence) == ("test", None, None, None)
        and (one.unit, one.calibrated, one.class_name) == ("image", None, None)
    }
    for title, metric, scale in (("AUC", "roc_auc", 1), ("Sensitivity", "sensitivity", 100), ("MCC", "mcc", 1)):
        record, tolerance = records[metric], 0.0005 if scale == 1 else 0.05
        values = [found.loc[title, f"transfer{part}"] for part in ("", " low", " high")]
        assert values == pytest.approx([scale * one for one in (record.value, record.low, record.high)], abs=tolerance)
    assert list(found.loc[["AUC", "Sensitivity"], "transfer unit"].fillna("")) == ["", "%"]


def test_csv_has_the_unit_in_the_head_where_a_column_has_one(outputs):
    found = table(outputs, "utility-1")
    assert {"found", "found low", "found high"} <= set(found)
    each = next(name for name in _names(outputs) if "Precision (%)" in table(outputs, name))
    assert table(outputs, each)["Precision (%) low"].dtype == float


def _names(outputs):
    return [path.stem for path in files(outputs, "tables/*.csv") if path.stem != "index"]


def test_csv_writes_differences_with_an_ascii_minus(outputs):
    found = [table(outputs, name) for name in _names(outputs)]
    differences = [one for one in found if any(title.endswith("difference") for title in one)]
    assert differences
    text = "".join(path.read_text(encoding="utf-8") for path in files(outputs, "tables/*-[0-9]*.csv"))
    assert re.search(r"(^|,)-\d", text, re.MULTILINE)
    assert not re.search(r"\N{MINUS SIGN}\d", text)


def test_csv_of_a_confusion_matrix_is_counts_by_pairs_of_classes(outputs):
    name = next(name for name in _names(outputs) if list(table(outputs, name))[:3] == ["shows", "called", "images"])
    found = table(outputs, name)
    matrix = next(
        one for one in Metrics.read(outputs.run.task("scratch").metrics).confusion if one.set == "test"
    ).matrix
    assert found["images"].tolist() == [count for row in matrix for count in row]


def test_csv_follows_rfc_4180_and_the_index_names_every_file(outputs):
    for path in files(outputs, "tables/*.csv"):
        content = path.read_bytes().decode("utf-8")
        rows = list(csv.reader(StringIO(content, newline=""), strict=True))
        assert len({len(row) for row in rows}) == 1, path
        assert content.endswith("\r\n")
    index = table(outputs, "index")
    assert set(index["file"]) == {f"{name}.csv" for name in _names(outputs)}
    assert index.set_index("file").loc["results-1.csv", "chapter"] == "Results on the test set"


def test_no_text_cell_is_a_formula(hostile):
    seen = set()
    for path in files(hostile, "tables/*.csv"):
        for row in csv.reader(StringIO(path.read_bytes().decode("utf-8"), newline="")):
            for cell in row:
                if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
                    assert re.fullmatch(r"-\d+(\.\d+)?", cell), (path, cell)
                seen.add(cell)
    assert f"'{NASTY_CLASS}" in seen
    assert any(cell.startswith(f"'-{HOSTILE}/test/") for cell in seen)


# ── Which files lie there ─────────────────────────────────────────────────────────────────────────────────────────────


def put(folder: Path, **formats):
    return filing.put(folder, {name: {path: path.encode() for path in paths} for name, paths in formats.items()})


def test_files_of_an_earlier_report_do_not_stay(tmp_path):
    put(tmp_path, md=["model_cards/a.md", "model_cards/b.md"], csv=["tables/x-1.csv"])
    (tmp_path / "model_cards" / "mine.md").write_text("by hand")
    assert put(tmp_path, md=["model_cards/b.md"]) == ([tmp_path / "model_cards"], [])
    assert sorted(path.name for path in (tmp_path / "model_cards").iterdir()) == ["b.md", "mine.md"]
    assert (tmp_path / "tables" / "x-1.csv").is_file()
    assert filing.places(tmp_path, ["md", "csv"]) == [tmp_path / "model_cards", tmp_path / "tables"]


def test_a_file_that_was_changed_stays_and_is_told_of(tmp_path):
    put(tmp_path, md=["model_cards/a.md", "model_cards/b.md"])
    (tmp_path / "model_cards" / "a.md").write_text("with a licence")
    _, warnings = put(tmp_path, md=["model_cards/b.md"])
    assert warnings == [
        f"{tmp_path / 'model_cards' / 'a.md'}: is no longer part of the report; it was changed and stays"
    ]
    assert (tmp_path / "model_cards" / "a.md").read_text() == "with a licence"


@pytest.mark.parametrize("path", ["../outside.md", "model_cards/../../outside.md", "outside.md", "tables/outside.md"])
def test_nothing_outside_of_a_format_s_folder_is_ever_removed(tmp_path, path):
    folder = tmp_path / "report"
    put(folder, md=["model_cards/a.md"])
    outside = folder / path
    outside.parent.mkdir(exist_ok=True)
    outside.write_bytes(b"precious")
    record = json.loads((folder / "files.json").read_text())
    record["formats"]["md"][path] = "80ac0ac9a5ff0d0d0b9b5e3eb65ad3f7a0d9d9a6ef7f5e7b9e5bc7a1d2c3f4e5"
    (folder / "files.json").write_text(json.dumps(record))
    put(folder, md=["model_cards/a.md"])
    assert outside.read_bytes() == b"precious"


def test_a_missing_file_of_any_format_is_noticed(tmp_path):
    assert filing.places(tmp_path, ["json"]) is None
    assert filing.places(tmp_path, ["csv"]) is None
    put(tmp_path, html=["report.html"], json=["report.json"], csv=["tables/x-1.csv"], latex=["tables/x-1.tex"])
    shown = [tmp_path / name for name in ("report.html", "report.json", "tables")]
    assert filing.places(tmp_path, ["csv", "latex", "json", "html"]) == shown
    (tmp_path / "tables" / "x-1.tex").unlink()
    assert filing.places(tmp_path, ["csv", "json", "html"]) == shown
    assert filing.places(tmp_path, ["latex"]) is None


# ── Commands ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def call(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


STUDY = """
[run]
output = "run"
[[task]]
name = "vendor"
predictions = {{ test = "vendor.csv" }}
threshold = {{ rule = "fixed", value = 0.5 }}
[evaluation]
resamples = 100
[report]
formats = {formats}
"""


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    scores = np.clip(rng.normal(np.arange(60) % 2, 0.5), 0, 1)
    rows = [f"image-{n},{('A', 'PNEUMONIA')[n % 2]},{score:.4f}" for n, score in enumerate(scores)]
    (tmp_path / "vendor.csv").write_text("\n".join(["image,label,p_PNEUMONIA", *rows]) + "\n")

    def run(formats):
        (tmp_path / "tasks.toml").write_text(STUDY.format(formats=json.dumps(formats)))
        return call("run", tmp_path / "tasks.toml", "--quiet")

    return SimpleNamespace(run=run, report=tmp_path / "run" / "report", folder=tmp_path)


def test_a_run_writes_again_what_was_removed_and_nothing_else(study):
    done = study.run(["json", "md", "csv"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(study.report / "report.json")
    before = (study.report / "report.json").read_bytes()
    assert study.run(["json", "md", "csv"]).exit_code == 0
    assert (study.report / "report.json").read_bytes() == before
    (study.report / "model_cards" / "vendor.md").unlink()
    assert study.run(["json", "md", "csv"]).exit_code == 0
    assert (study.report / "model_cards" / "vendor.md").is_file()


def test_an_unknown_format_is_refused_with_those_that_there_are(study, finished_run, tmp_path):
    done = study.run(["html", "jsn"])
    assert done.exit_code == 2
    assert 'report.formats[1]: must be "html", "pdf", "txt", "json", "md", "latex" or "csv", got "jsn"' in done.stderr
    assert not study.report.exists()
    done = call("report", finished_run.root, "--output", tmp_path / "out", "--format", "jsn")
    assert done.exit_code == 2
    assert "'jsn' is not one of 'html', 'pdf', 'txt', 'json', 'md', 'latex', 'csv'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_command_names_folders_of_several_files_once(finished_run, tmp_path):
    formats = [part for name in ("csv", "latex", "md", "json") for part in ("--format", name)]
    done = call("report", finished_run.root, "--output", tmp_path, *formats)
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / name) for name in ("report.json", "model_cards", "tables")]
