import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import cxrkit
from cxrkit.cli import COMMANDS, cli


@pytest.fixture
def boom(tmp_path, monkeypatch):
    """Make a command ``boom`` whose body is given."""

    def made(body):
        source = f"import click\nfrom cxrkit.errors import *\n@click.command()\ndef command():\n    {body}\n"
        (tmp_path / "boom_command.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.chdir(tmp_path)
        monkeypatch.delitem(sys.modules, "boom_command", raising=False)
        monkeypatch.setitem(COMMANDS, "boom", ("boom_command", "Fails."))

    return made


def run(*arguments):
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_has_help(name):
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert "--debug" in shown.stdout


def test_help_lists_every_command_and_imports_none():
    code = "import sys; from cxrkit.cli import COMMANDS, main; sys.argv[1:] = ['--help']\ntry: main()\n"
    code += "except SystemExit: print([m for m, _ in COMMANDS.values() if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in shown
        assert summary in shown


def test_version():
    assert run("--version").output == f"cxrkit {cxrkit.__version__}\n"
    assert run("--version").exit_code == 0


def test_an_unknown_command_is_told_with_the_nearest():
    result = run("pluginz")
    assert result.exit_code == 2
    assert 'Error: no command "pluginz", did you mean "plugins"?' in result.stderr


def test_wrong_input_is_a_sentence_for_each_problem_and_status_2(boom):
    boom('raise InputError("a.toml: x: 1, allowed are 2", "a.toml: y: missing")')
    result = run("boom")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: a.toml: x: 1, allowed are 2\nError: a.toml: y: missing\n"


def test_failed_work_is_status_1(boom):
    boom('raise RunError("task \\"a\\": the loss is not finite")')
    result = run("boom")
    assert (result.exit_code, result.stderr) == (1, 'Error: task "a": the loss is not finite\n')


def test_the_unforeseen_is_one_sentence_that_names_a_file_with_all_that_a_report_needs(boom, tmp_path):
    boom("raise ValueError('two\\nlines')")
    result = run("boom")
    [kept] = tmp_path.glob("cxrkit-error-*.txt")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: unexpected ValueError: two lines, a fault of cxrkit or of a plugin; {kept.name} holds what a report "
        "of it needs, please send it to the project's issue tracker\n"
    )
    assert "boom_command.py" in kept.read_text(encoding="utf-8")
    assert f"cxrkit {cxrkit.__version__}" in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('raise OSError(28, "No space left", "a.csv")', "a.csv: cannot be written (No space left), free space on "),
        ("raise MemoryError", "memory ran out, use a smaller batch_size or image_size"),
        ("import gone_library", "gone_library: cannot be imported (No module named 'gone_library'), cxrkit doctor"),
    ],
)
def test_what_disk_memory_and_installation_refuse_is_expected(boom, tmp_path, body, sentence):
    boom(body)
    result = run("boom")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {sentence}")
    assert not list(tmp_path.glob("cxrkit-error-*"))


@pytest.mark.parametrize("arguments", [("--debug", "boom"), ("boom", "--debug")])
@pytest.mark.parametrize(("error", "status"), [("InputError", 2), ("ValueError", 1)])
def test_debug_shows_the_traceback_and_keeps_the_status(boom, arguments, error, status):
    boom(f"raise {error}('why')")
    result = run(*arguments)
    assert result.exit_code == status
    assert "Traceback (most recent call last)" in result.stderr
    assert "boom_command.py" in result.stderr


def test_debug_stands_after_a_subcommand_too():
    assert run("plugins", "list", "--json", "--debug").exit_code == 0


def test_an_interrupt_is_status_130(boom):
    boom("raise KeyboardInterrupt")
    result = run("boom")
    assert (result.exit_code, result.stderr) == (130, "Error: interrupted\n")


def test_a_commands_own_exit_status_stays(boom):
    boom("click.get_current_context().exit(1)")
    assert (run("boom").exit_code, run("boom").stderr) == (1, "")


def test_python_m_cxrkit_is_the_same_command_line():
    shown = subprocess.run([sys.executable, "-m", "cxrkit", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"cxrkit {cxrkit.__version__}\n"


def test_a_console_that_lacks_a_letter_shows_another(tmp_path):
    code = "import sys, click; sys.argv[1:] = ['boom']; from cxrkit import cli\n"
    code += "cli.COMMANDS['boom'] = ('boom_ascii', '')\ncli.main()"
    source = "import click\n@click.command()\ndef command():\n    click.echo('≥ 1')\n"
    (tmp_path / "boom_ascii.py").write_text(source, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert shown.stdout == "? 1\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "--lr", "0,001"], "'0,001' is not a valid number."),
        (["train", "--epochs", "2.5"], "'2.5' is not a valid whole number."),
        (["data", "phantom", "--images", "many"], "'many' is not a valid whole number."),
        (["monitor", "--threshold", "50%"], "'50%' is not a valid number."),
    ],
)
def test_numbers_are_called_so(arguments, told):
    result = run(*arguments)
    assert (result.exit_code, told in result.stderr) == (2, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_every_option_is_and_calls_what_it_takes_alike(name):
    unlike = {"DIRECTORY", "FLOAT", "FLOAT RANGE", "INTEGER", "INTEGER RANGE", "PATH", "TEXT"}
    for command in commands_of(name):
        context = click.Context(command)
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert [option.name for option in options if not option.help] == []
        assert [option.name for option in options if option.make_metavar(context) in unlike] == []


def commands_of(name):
    command = cli.get_command(click.Context(cli), name)
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("name", ["data", "plugins"])
def test_help_of_a_group_shows_each_line_whole(name):
    assert "..." not in run(name, "--help").stdout.partition("Commands:")[2]
