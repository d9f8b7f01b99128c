"""The command line: a table of commands, each imported only when it is used, and one place for errors."""

import io
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from cxrkit.errors import CxrkitError, nearest

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("cxrkit.cli.run", "Train, evaluate, explain and report what a tasks.toml says."),
    "train": ("cxrkit.cli.train", "Train one model on a folder, without a tasks.toml."),
    "demo": ("cxrkit.cli.demo", "Make the whole thing once on generated radiographs."),
    "report": ("cxrkit.cli.report", "Write the report of run directories or prediction files."),
    "compare": ("cxrkit.cli.compare", "Compare the tasks of run directories."),
    "plot": ("cxrkit.cli.plot", "Write the figures of run directories for a paper."),
    "evaluate": ("cxrkit.cli.evaluate", "Evaluate saved models on a folder, everything fixed beforehand."),
    "predict": ("cxrkit.cli.predict", "Predict images and DICOM files with saved models."),
    "export": ("cxrkit.cli.export", "Write a saved model as .pth or ONNX."),
    "data": ("cxrkit.cli.data", "Fetch, check, split and generate image folders."),
    "plugins": ("cxrkit.cli.plugins", "Show what is installed, check a plugin, begin one."),
    "init": ("cxrkit.cli.init", "Write a commented tasks.toml to start from."),
    "schema": ("cxrkit.cli.schema", "Print the JSON Schema of tasks.toml."),
    "doctor": ("cxrkit.cli.doctor", "Check this environment and say what to do about it."),
}
"""Command → the module that holds it as ``command``, and the line that stands for it in the help."""

INTERRUPTED = 130


class _Commands(click.Group):
    """Imports a command when it is used, and turns what goes wrong in it into a sentence and an exit status."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return _with_debug(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f'no command "{args[0]}", {nearest(args[0], COMMANDS)}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("Error: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the one place where what nobody foresaw becomes a sentence
            if ctx.ensure_object(dict).get("debug"):
                traceback.print_exc()
            for sentence in _sentences(error):
                click.echo(f"Error: {sentence}", err=True)
            ctx.exit(error.exit_status if isinstance(error, CxrkitError) else 1)


def _sentences(error: Exception) -> list[str]:
    if isinstance(error, CxrkitError):
        return str(error).splitlines()
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return [f"unexpected {what} (a fault of cxrkit or of a plugin, --debug shows where)"]


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


def _with_debug(command: click.Command) -> click.Command:
    """Let ``--debug`` stand after any subcommand too."""
    if not any("--debug" in parameter.opts for parameter in command.params):
        command.params.append(_debug_option())
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            _with_debug(subcommand)
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

    Exit status: 0 done, 1 the run failed, 2 the input is wrong.
    """


_with_debug(cli)


def main() -> None:
    """Run the command line and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a legacy console lacks letters: better a "?" than a crash
            stream.reconfigure(errors="replace")
    cli()
