"""Files of strangers that are no images: refused in one sentence, without waiting, within bounds."""

import json
import os
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from cxrkit import bounded, calibration
from cxrkit.config import load
from cxrkit.config.reading import apply_set, read_toml
from cxrkit.data.manifest import Manifest
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions, table
from cxrkit.plans import recorded_roots
from cxrkit.records import ModelInfo, RunInfo, TaskInfo
from cxrkit.report.formats import html

TASK = '{"task": "a", "kind": "trained", "state": "finished"%s}'


def told(read, *arguments, **options):
    with pytest.raises(InputError) as caught:
        read(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def file(tmp_path, content, name="a.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ── Any file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a")
    for read in (TaskInfo.read, load, lambda path: predictions.read(path, task="a", set_name="test")):
        assert f"{tmp_path / 'a'}: cannot be read (is no regular file)" in told(read, tmp_path / "a")


def test_no_more_is_read_than_a_file_may_have(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 32)
    tracemalloc.start()
    assert "is larger than 2 MB" in told(bounded.content, path, 2 * bounded.MEGABYTE, "missing")
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()
    assert bounded.content(file(tmp_path, b"ab"), 2, "missing") == b"ab"


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        (', "task": "b"', 'has the key "task" twice'),
        (', "options": {"x": NaN}', "has NaN, which is no number"),
        (', "options": {"x": -Infinity}', "has -Infinity, which is no number"),
        (', "options": {"x": 1e999}', "has the number 1e999, which is too large"),
        (f', "seeds": [{"9" * 5000}]', "digits"),
        (f', "options": {"[" * 100_000}', "is nested too deeply"),
        (f', "options": {{"x": {"[" * 400}{"]" * 400}}}', "recursion"),
        (', "options": {"x": "\0"}', "is no JSON of a run"),
        (', "nothing": 1', "nothing: Extra inputs are not permitted"),
    ],
)
def test_json_that_readers_disagree_on_is_refused(tmp_path, inside, sentence):
    assert TaskInfo.read(file(tmp_path, TASK % "")).task == "a"
    assert sentence in told(TaskInfo.read, file(tmp_path, TASK % inside))


@pytest.mark.parametrize("coding", ["utf-16", "utf-32", "latin-1"])
def test_json_in_another_encoding_is_refused(tmp_path, coding):
    text = (TASK % ', "failure": "é"').encode(coding)
    assert "is not UTF-8" in told(TaskInfo.read, file(tmp_path, text))


@pytest.mark.parametrize(
    ("key", "value"),
    [("image_size", 10**9), ("image_size", 0), ("resize", 10**9), ("temperature", 0), ("temperature", 5e-324)],
)
def test_a_model_asks_for_no_input_that_no_memory_holds(tmp_path, key, value):
    sizes = {"image_size": 32, "resize": 36} | {key: value}
    preprocessing = f'{{"image_size": {sizes["image_size"]}, "resize": {sizes["resize"]}, "mean": [0], "std": [1]}}'
    text = (
        '{"task": "a", "seed": 0, "model": "m", "distribution": "d", "class_names": [], "positive": "p", '
        f'"preprocessing": {preprocessing}, "parameters": 1, "trainable": 1, '
        f'"temperature": {sizes.get("temperature", 1)}}}'
    )
    assert key in told(ModelInfo.read, file(tmp_path, text))


def test_a_temperature_that_makes_logits_infinite_is_refused_and_the_smallest_that_is_fitted_is_not(tmp_path):
    smallest = 0.5 ** (calibration.MOST_DOUBLINGS - 1)
    given = ', "temperature": {"value": %r, "set": "validation"}'
    assert TaskInfo.read(file(tmp_path, TASK % (given % smallest))).temperature.value == smallest
    assert "temperature.value: " in told(TaskInfo.read, file(tmp_path, TASK % (given % 5e-324)))


def test_a_key_twice_among_thousands_is_found_at_once(tmp_path):
    keys = "".join(f'"{number}": 1, ' for number in range(30_000, -1, -1))
    path = file(tmp_path, TASK % f', "options": {{{keys}"0": 1}}')
    began = time.process_time()
    assert 'has the key "0" twice' in told(TaskInfo.read, path)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('"data": true', "configuration: data: "),
        ('"data": {"external": ["a"]}', "configuration: data.external: "),
        ('"data": {"root": 3}', "configuration: data.root: "),
        ('"report": [[]]', "configuration: report: "),
        ('"report": {"title": 1e308}', "configuration: report.title: "),
        ('"report": {"authors": ["a", {}]}', "configuration: report.authors.1: "),
        ('"report": {"pseudonym_key": {}}', "configuration: report.pseudonym_key: "),
        ('"report": {"sections": 1}', "configuration: report.sections: "),
        ('"explain": {"most": "7"}', "configuration: explain.most: "),
        ('"explain": {"most": -1}', "configuration: explain.most: "),
        ('"explain": {"correct": null}', "configuration: explain.correct: "),
        ('"evaluation": {"subgroups": [1]}', "configuration: evaluation.subgroups.0: "),
    ],
)
def test_what_a_report_asks_of_a_recorded_configuration_has_its_type(tmp_path, table, sentence):
    text = (
        '{"environment": {"cxrkit": "0", "python": "3", "platform": "x", "processor": "x", "cpu_count": 1}, '
        '"class_names": [], "positive": "a", "started": "2026-01-01", "configuration": {%s}}'
    )
    assert RunInfo.read(file(tmp_path, text % '"report": {"later": 1}, "data": null, "x": [1]')).positive == "a"
    assert sentence in told(RunInfo.read, file(tmp_path, text % table))


@pytest.mark.parametrize("moment", ["now", "", "0001-01-01T00:00:00+23:00", "2026-13-01"])
@pytest.mark.parametrize("key", ["started", "finished"])
def test_a_time_that_is_none_is_told(tmp_path, key, moment):
    times = {"started": "2026-01-01T00:00:00+00:00", key: moment}
    text = (
        '{"environment": {"cxrkit": "0", "python": "3", "platform": "x", "processor": "x", "cpu_count": 1}, '
        f'"class_names": [], "positive": "a", "configuration": {{}}, {json.dumps(times)[1:]}'
    )
    assert f"{key}: must be a date and time" in told(RunInfo.read, file(tmp_path, text))


@pytest.mark.parametrize(
    "options", ['"trainer": true', '"augmentation": 0', '"model": [1]', '"trainer": {"select": []}']
)
def test_options_of_a_task_are_tables(tmp_path, options):
    assert "options: " in told(TaskInfo.read, file(tmp_path, TASK % f', "options": {{{options}}}'))


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"roots": []}', b'{"roots": {"test": 1}}', b"\xff", b"{"])
def test_a_plan_that_tells_no_folders_names_none(tmp_path, content):
    assert recorded_roots(file(tmp_path, content)) == {}
    assert recorded_roots(tmp_path / "missing") == recorded_roots(tmp_path) == {}
    sound = file(tmp_path, '{"roots": {"test": "/images", "a": "\\u0000"}, "more": 1}')
    assert recorded_roots(sound) == {"test": Path("/images")}


# ── TOML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a." * 50_000 + "b = 1", "a key in it has a hundred parts"),
        ("x = { " + '"a" . ' * 50_000 + "b = 1 }", "a key in it has a hundred parts"),
        (r'"\"a".' * 1000 + "b = 1", "a key in it has a hundred parts"),
        ('x = { y = """\n \' """, ' + "a." * 1000 + "b = 1 } # '", "a key in it has a hundred parts"),
        (f"[run]\nseed = {'9' * 5000}", "a number in it has thousands of digits"),
        ("[run]\nseed = 1\nseed = 2", "is no TOML"),
        ("[run]\nseed = inf", "seed"),
        ("[run]\noutput = 'a\0'", "is no TOML"),
        ("[run]\noutput = '\udcff'", "is not UTF-8"),
    ],
)
def test_toml_is_refused_in_sentences(tmp_path, text, sentence):
    path = file(tmp_path, text.encode("utf-8", "surrogateescape"), "a.toml")
    with pytest.raises(InputError) as caught:
        load(path)
    assert any(sentence in problem for problem in caught.value.problems), caught.value


@pytest.mark.parametrize("value", ["'{}'", '"{}"', '"""\n{}"""', "'''{}'''", "1 # {}"])
def test_dots_in_texts_and_comments_are_no_keys(tmp_path, value):
    text = f"note = {value.format('a.' * 200)}\n{'[' + 'b.' * 98 + 'b]'}"
    assert read_toml(file(tmp_path, text, "a.toml")).keys() == {"note", "b"}


@pytest.mark.parametrize("text", ["run.seed=" + "9" * 5000, "run.seed=" + "[" * 100_000])
def test_a_value_that_is_no_toml_is_a_text(text):
    document = {"run": {"seed": 0}}
    apply_set(document, text)
    assert document["run"]["seed"] == text.partition("=")[2]


# ── CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

HEAD = "image,label,p_NORMAL,p_PNEUMONIA\na.png,NORMAL,0.6,0.4\n"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("b.png,NORMAL,nan,0.4", 'row 3, column p_NORMAL: "nan" is no finite number'),
        ("b.png,NORMAL,0.6,inf", 'row 3, column p_PNEUMONIA: "inf" is no finite number'),
        ("b.png,NORMAL,0.6,1e999", 'row 3, column p_PNEUMONIA: "1e999" is no finite number'),
        ("b.png,NORMAL,0.6,", "row 3, column p_PNEUMONIA: is empty"),
        ("b.png,NORMAL,0.6,0.\N{FULLWIDTH DIGIT FOUR}", "row 3, column p_PNEUMONIA: "),
        ("b.png,NORMAL,\N{ARABIC-INDIC DIGIT ZERO},1", "row 3, column p_NORMAL: "),
        ("b.png,NORMAL,1.4,-0.4", "row 3, column p_NORMAL: 1.4 is no probability"),
        ("b.png,NORMAL,0.6,0.6", "row 3, column p_NORMAL: the classes' probabilities sum to 1.2"),
        ("a.png,NORMAL,0.6,0.4", 'row 3, column image: "a.png" stands in row 2 already'),
        (",NORMAL,0.6,0.4", "row 3, column image: is empty"),
        ("b.png,FLU,0.6,0.4", "row 3, column label: "),
        ("b.png,NORMAL,0.6", "row 3 has 3 cells, the header has 4"),
        ("b\0.png,NORMAL,0.6,0.4", "row 3 holds a NUL"),
        (f"{'b' * 200_000},NORMAL,0.6,0.4", "is no readable CSV"),
        ('"b.png,NORMAL,0.6,0.4', "is no readable CSV"),
    ],
)
def test_predictions_are_refused_with_row_and_column(tmp_path, row, sentence):
    assert len(predictions.read(file(tmp_path, HEAD), task="a", set_name="test").images) == 1
    with pytest.raises(InputError) as caught:
        predictions.read(file(tmp_path, HEAD + row), task="a", set_name="test")
    assert any(sentence in problem for problem in caught.value.problems), caught.value


def test_thousands_of_columns_are_refused_at_once(tmp_path):
    header = ",".join(f"c{number}" for number in range(200_000))
    began = time.process_time()
    assert "has 200,000 columns, allowed are 5,000" in told(table.read_sheet, file(tmp_path, f"{header}\n"), {})
    assert time.process_time() - began < 3


@pytest.mark.parametrize("rows", ["\n" * 60, "1\n" * 30, "," * 60])
def test_more_cells_than_memory_should_be_taken_for_are_refused(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(table, "MOST_CELLS", 50)
    assert "holds more than 50 cells" in told(table.read_sheet, file(tmp_path, HEAD + rows), {})


def test_names_that_look_like_formulas_come_back_from_predictions_as_they_are(tmp_path):
    found = predictions.read(file(tmp_path, HEAD.replace("a.png", "=1+1.png")), task="a", set_name="test")
    predictions.write(tmp_path / "again.csv", found)
    assert "\n=1+1.png," in (tmp_path / "again.csv").read_text(encoding="utf-8")


def test_short_rows_of_a_run_are_filled_and_what_is_no_table_is_told(tmp_path):
    assert table.records(file(tmp_path, "a,b\n1,2\n3\n4,5,6\n")) == [
        {"a": "1", "b": "2"}, {"a": "3", "b": ""}, {"a": "4", "b": "5"},
    ]  # fmt: skip
    assert "is no UTF-8 text" in told(table.records, file(tmp_path, b"a\n\xff"))


@pytest.mark.parametrize("cell", ["x", "9" * 30, "nan"])
def test_a_manifest_whose_sizes_are_no_numbers_is_told(tmp_path, cell):
    text = f"image,split,label,patient,sha256,width,height,excluded\na,test,N,p,h,{cell},8,\n"
    assert "a width or height is no whole number" in told(Manifest.read, file(tmp_path, text), {})


# ── Templates ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ report.__class__.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ source.__globals__ }}",
    "{{ source.__closure__[0].cell_contents }}",
    "{{ (report|attr('__class__'))|attr('__base__') }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(report) }}",
    "{{ '{x.__class__}'.format_map({'x': report}) }}",
    "{% set f = ''.format %}{{ f.__self__.__class__ }}",
    "{{ report.models.__add__.__self__.__class__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ [].append(1) }}",
    "{{ {}.update({'a': 1}) }}",
    "{% for i in range(10000000) %}{% endfor %}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_a_template_gets_out_of_the_sandbox_by_no_known_way(text):
    class Known:
        models = ("a",)

    template = html.environment(None).from_string(text)
    with pytest.raises((SecurityError, UndefinedError, OverflowError)):
        template.render(report=Known())


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "cxrkit/../../pyproject.toml"])
@pytest.mark.parametrize("text", ["{% include name %}", "{{ source(name) }}", "{% extends name %}"])
def test_a_template_reads_no_file_outside_of_its_folder(tmp_path, name, text):
    (tmp_path / "house").mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with pytest.raises(Exception, match=r"secret|passwd|pyproject"):
        html.environment(tmp_path / "house").from_string(text).render(name=name)
