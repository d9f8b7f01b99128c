import json
import os
import stat
import tempfile
from email.message import Message
from pathlib import Path, PureWindowsPath

import pytest

from cxrkit import guard, unforeseen
from cxrkit.errors import InputError, RunError


@pytest.fixture
def error():
    try:
        {}["label"]
    except KeyError as raised:
        return raised


def text_of(error, folder, configuration=None, command="cxrkit run tasks.toml"):
    return unforeseen.keep(error, [folder], command, configuration).read_text(encoding="utf-8")


def test_the_file_holds_traceback_versions_and_configuration(error, tmp_path):
    text = text_of(error, tmp_path, {"run": {"output": "a", "seed": 3}})
    assert "Traceback (most recent call last)" in text
    assert "KeyError: 'label'" in text
    assert "numpy " in text
    assert "plugin cxrkit " in text
    assert json.loads(text.partition("configuration: ")[2]) == {"run": {"output": "a", "seed": 3}}


def test_names_that_are_no_utf_8_stand_as_escapes(error, tmp_path):
    text = text_of(error, tmp_path, command="cxrkit report caf\udce9")
    assert "cxrkit report caf\\udce9" in text


def test_it_holds_no_secret_no_environment_and_no_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRKIT_TEST_SECRET", "of the environment")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    error = RuntimeError(f"{tmp_path}/home/data/a.png from https://me:word@host/a?key=K1&b=K2")
    configuration = {
        "task": [{"trainer": {"api_key": "K3", "tokens": 4, "tracker": "http://u:K4@host"}}],
        "data": {"root": str(tmp_path / "home" / "data")},
    }
    text = text_of(error, tmp_path, configuration, "cxrkit run a.toml --set task.a.trainer.token=K5")
    for secret in ("word@", "K1", "K2", "K3", "K4", "K5", "of the environment", str(tmp_path / "home")):
        assert secret not in text
    assert "~/data/a.png" in text
    assert '"root": "~/data"' in text
    assert '"tokens": 4' in text


def test_what_lies_within_a_secret_is_one_too(error, tmp_path):
    configuration = {"credentials": {"user": "K1", "keys": ["K2", ["K3"]], "port": 80}, "authors": ["A. Author"]}
    text = text_of(error, tmp_path, configuration)
    kept = json.loads(text.partition("configuration: ")[2])
    assert kept == {"credentials": {"user": "***", "keys": ["***", ["***"]], "port": 80}, "authors": ["A. Author"]}


def test_a_home_folder_of_windows_stands_as_a_tilde_also_where_its_bars_are_doubled(tmp_path, monkeypatch):
    home = PureWindowsPath(r"C:\Users\me")
    monkeypatch.setattr(Path, "home", lambda: home)
    error = RuntimeError(f"{home / 'a.png'} and {str(home / 'b.png')!r}")
    text = text_of(error, tmp_path, {"root": str(home / "data")})
    assert "me" not in [part for word in text.split() for part in word.split("\\")]
    assert json.loads(text.partition("configuration: ")[2]) == {"root": r"~\data"}


@pytest.mark.skipif(os.name == "nt", reason="rights are POSIX")
def test_nobody_but_the_user_may_read_it_also_in_the_folder_for_temporary_files(error, tmp_path):
    kept = unforeseen.keep(error, [tmp_path], "")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_passed_over(error, tmp_path, monkeypatch):
    good, file = tmp_path / "good", tmp_path / "file"
    good.mkdir()
    file.touch()
    assert unforeseen.keep(error, [tmp_path / "gone", file, good], "").parent == good
    monkeypatch.setattr(tempfile, "tempdir", str(good))
    assert unforeseen.keep(error, [tmp_path / "gone"], "").parent == good


def test_without_any_folder_the_sentence_says_how_to_see_more(error, monkeypatch):
    monkeypatch.setattr(unforeseen, "write_private", lambda *_: (_ for _ in ()).throw(RunError("full")))
    sentence = unforeseen.told(error, [], "")
    assert sentence == (
        "unexpected KeyError: 'label', a fault of cxrkit or of a plugin; --debug shows where, please report it to "
        "the project's issue tracker"
    )


def test_what_a_plugin_raised_is_kept_and_named(tmp_path):
    try:
        guard.here('trainer "mine" of cxr-mine 1.0', lambda: {}["loss"])
    except RunError as raised:
        error = raised
    assert unforeseen.expected(error) is None
    sentence = unforeseen.told(error, [tmp_path], "")
    [kept] = tmp_path.iterdir()
    assert sentence.startswith("trainer \"mine\" of cxr-mine 1.0 failed (KeyError: 'loss'); ")
    assert sentence.endswith(f"{kept} holds what a report of it needs, please send it to those who made the plugin")
    assert "KeyError: 'loss'" in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("error", [InputError("a", "b"), RunError("a\nb")])
def test_what_is_foreseen_is_told_as_it_is(error):
    assert unforeseen.expected(error) == ["a", "b"]


@pytest.mark.parametrize(
    ("entries", "where"),
    [
        ([], "the project's issue tracker"),
        (["Homepage, https://a.example", "Issues, https://a.example/issues"], "https://a.example/issues"),
        (["Homepage, https://a.example"], "https://a.example"),
    ],
)
def test_where_to_report_is_what_the_metadata_says(monkeypatch, entries, where):
    found = Message()
    for entry in entries:
        found["Project-URL"] = entry
    monkeypatch.setattr(unforeseen, "metadata", lambda _name: found)
    assert unforeseen.tracker() == where


def test_a_broken_installation_does_not_hide_the_error(error, tmp_path, monkeypatch):
    monkeypatch.setattr(unforeseen, "describe", lambda: 1 / 0)
    text = text_of(error, tmp_path)
    assert "KeyError: 'label'" in text
    assert "versions: not known (ZeroDivisionError" in text
