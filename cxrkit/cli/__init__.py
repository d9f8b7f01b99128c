"""The command line: a table of commands, each imported only when it is used, and one place for errors."""

import io
import shlex
import signal
import sys
import tomllib
import traceback
from contextlib import suppress
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from cxrkit.cli.groups import NearestGroup
from cxrkit.errors import CxrkitError
from cxrkit.one_line import one_line

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("cxrkit.cli.run", "Train, evaluate, explain and report what a tasks.toml says."),
    "train": ("cxrkit.cli.train", "Train one model on a folder, without a tasks.toml."),
    "demo": ("cxrkit.cli.demo", "Make the whole thing once on generated radiographs."),
    "report": ("cxrkit.cli.report", "Write the report of run directories or prediction files."),
    "compare": ("cxrkit.cli.compare", "Compare the tasks of run directories."),
    "plot": ("cxrkit.cli.plot", "Write the figures of run directories for a paper."),
    "evaluate": ("cxrkit.cli.evaluate", "Evaluate saved models on a folder, everything fixed beforehand."),
    "predict": ("cxrkit.cli.predict", "Predict images and DICOM files with saved models."),
    "monitor": ("cxrkit.cli.monitor", "Watch a model in use: drift, alert rate, errors."),
    "export": ("cxrkit.cli.export", "Write a saved model as .pth or ONNX."),
    "search": ("cxrkit.cli.search", "Search hyper-parameters, chosen on validation."),
    "data": ("cxrkit.cli.data", "Fetch, check, split and generate image folders."),
    "plugins": ("cxrkit.cli.plugins", "Show what is installed, check a plugin, begin one."),
    "init": ("cxrkit.cli.init", "Write a commented tasks.toml to start from."),
    "schema": ("cxrkit.cli.schema", "Print the JSON Schema of tasks.toml."),
    "doctor": ("cxrkit.cli.doctor", "Check this environment and say what to do about it."),
}
"""Command → the module that holds it as ``command``, and the line that stands for it in the help."""

NUMBERS: dict[type, str] = {
    type(click.INT): "whole number",
    type(click.FLOAT): "number",
    click.IntRange: "whole number",
    click.FloatRange: "number",
}
"""Types of options → what a user calls what they take."""

INTERRUPTED = 130


class _Commands(NearestGroup):
    """Imports a command when it is used, and turns what goes wrong in it into a sentence and an exit status."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return _finished(command)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        from cxrkit.run.stopping import be_deaf, terminable

        with terminable():
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
                raise
            except KeyboardInterrupt:
                be_deaf()
                click.echo("Error: interrupted", err=True)
                ctx.exit(INTERRUPTED)
            except Exception as error:  # noqa: BLE001 - the one place where what nobody foresaw becomes a sentence
                if ctx.ensure_object(dict).get("debug"):
                    traceback.print_exc()
                for sentence in _sentences(error, ctx.ensure_object(dict)):
                    click.echo(f"Error: {one_line(sentence)}", err=True)
                ctx.exit(error.exit_status if isinstance(error, CxrkitError) else 1)


def _sentences(error: Exception, known: dict[str, Any]) -> list[str]:
    """Tell what is expected as it is; keep anything else in a file, in the run directory where there is one."""
    from cxrkit import unforeseen

    sentences = unforeseen.expected(error)
    if sentences is not None:
        return sentences
    folders = [known[name] for name in ("folder",) if name in known] + [Path()]
    return [unforeseen.told(error, folders, shlex.join(["cxrkit", *sys.argv[1:]]), _configuration(known))]


def _configuration(known: dict[str, Any]) -> Any:
    """Give the configuration as it was checked, else as the files of the command line have it."""
    if "configuration" in known:
        return known["configuration"]
    found = {}
    for argument in sys.argv[1:]:
        if argument.endswith(".toml"):
            with suppress(OSError, ValueError, RecursionError):
                found[argument] = tomllib.loads(Path(argument).read_text(encoding="utf-8"))
    return found or None


def _remember_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().ensure_object(dict)["debug"] = True


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_remember_debug,
        help="Show the traceback of an error.",
    )


def _finished(command: click.Command) -> click.Command:
    """Let ``--debug`` stand after any subcommand too, and call numbers numbers, in the help as in what is wrong."""
    for parameter in command.params:
        if type(parameter.type) in NUMBERS:
            parameter.type = copy(parameter.type)  # other commands of this process may share it
            parameter.type.name = NUMBERS[type(parameter.type)]
    if not any("--debug" in parameter.opts for parameter in command.params):
        command.params.append(_debug_option())
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            _finished(subcommand)
    return command


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        import cxrkit

        click.echo(f"cxrkit {cxrkit.__version__}")
        ctx.exit()


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Evaluate and compare chest X-ray classifiers: one TOML file in, one report out.

    Exit status: 0 done, 1 the run failed, 2 the input is wrong, 3 an alarm of monitor, 130 stopped by Ctrl-C.
    """


_finished(cli)


def main() -> None:
    """Run the command line and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a legacy console lacks letters: better a "?" than a crash
            stream.reconfigure(errors="replace")
    try:
        cli()
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # a second Ctrl-C must not end in a traceback, or another status, any more
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        guard = sys.modules.get("cxrkit.guard")
        if guard is not None:  # a plugin may have been called
            guard.leave(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))
        raise
