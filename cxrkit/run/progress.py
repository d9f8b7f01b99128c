"""Shows what a run does: live bars on a terminal, plain lines elsewhere."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cxrkit.one_line import one_line
from cxrkit.plans import EpochRow, Event, Notice, Stage, Step
from cxrkit.run.streams import lasting

MAIN_FIGURES = ("train_loss", "val_loss", "val_roc_auc")
WIDE = 76  # characters, from which on a bar and its note fit beside the name


class Display(Protocol):
    """Where a run tells what it does."""

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def warn(self, text: str) -> None:
        """Show a warning that stays."""
        ...

    @contextmanager
    def work(self, name: str) -> "Iterator[Work]":
        """Show a piece of work while it lasts."""
        ...


class Work(Protocol):
    """A piece of work under way."""

    def hear(self, event: Event) -> None:
        """Show an event of a child process."""
        ...

    def advance(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` items are done."""
        ...


def standard_error() -> Console:
    """Give the console that progress goes to, so that standard output holds results alone, while anybody is there."""
    return Console(file=lasting(sys.stderr), stderr=True)


def display(console: Console, *, quiet: bool) -> Display:
    """Choose how to show progress: nothing, live bars, or plain lines where there is no terminal."""
    if quiet:
        return _Silent(console)
    return _Live(console) if console.is_terminal else _Plain(console)


class _Silent:
    """Warnings alone."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Stay silent."""

    def warn(self, text: str) -> None:
        """A warning is worth breaking the silence."""
        self.console.print(f"[yellow]Warning:[/] {_plain(text)}", soft_wrap=True, highlight=False)

    @contextmanager
    def work(self, name: str) -> Iterator[Work]:  # noqa: ARG002 - the protocol's
        """Show warnings of the work alone."""
        yield _SilentWork(self)


class _SilentWork:
    def __init__(self, owner: _Silent) -> None:
        self.owner = owner

    def hear(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.owner.warn(event.message)

    def advance(self, done: int, total: int) -> None:
        pass


class _Plain(_Silent):
    """A line for each stage and epoch."""

    def say(self, text: str) -> None:
        self.console.print(_plain(text), soft_wrap=True, highlight=False)

    @contextmanager
    def work(self, name: str) -> Iterator[Work]:
        yield _PlainWork(self, name)


class _PlainWork(_SilentWork):
    def __init__(self, owner: _Plain, name: str) -> None:
        super().__init__(owner)
        self.name = name

    def hear(self, event: Event) -> None:
        super().hear(event)
        if isinstance(event, Stage):
            self.owner.say(f"{self.name}: {event.name}")
        elif isinstance(event, EpochRow):
            self.owner.say(f"{self.name}: {epoch_line(event.row)}")


class _Live(_Silent):
    """A bar that moves, under lines that stay."""

    def say(self, text: str) -> None:
        self.console.print(_plain(text), soft_wrap=True, highlight=False)

    @contextmanager
    def work(self, name: str) -> Iterator[Work]:
        with Progress(*_columns(self.console.width), console=self.console, transient=True) as bars:
            yield _LiveWork(self, name, bars)


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    name, count = TextColumn("{task.description}"), TextColumn("{task.fields[count]}")
    left = TimeRemainingColumn(compact=True)
    if width < WIDE:
        return SpinnerColumn("line"), name, count, left
    return name, BarColumn(bar_width=24), count, TextColumn("{task.fields[note]}"), left


class _LiveWork(_SilentWork):
    def __init__(self, owner: _Live, name: str, bars: Progress) -> None:
        super().__init__(owner)
        self.name, self.bars = name, bars
        self.bar: TaskID = bars.add_task(_plain(name), total=None, count="", note="")

    def hear(self, event: Event) -> None:
        super().hear(event)
        if isinstance(event, Stage):
            name = _plain(f"{self.name}: {event.name}")
            self.bars.reset(self.bar, total=event.total, description=name, count="", note="")
        elif isinstance(event, EpochRow):
            line = f"{self.name}: {epoch_line(event.row)}"
            wrapped = textwrap.fill(line, self.bars.console.width, subsequent_indent="    ")
            self.bars.console.print(_plain(wrapped), highlight=False)
        elif isinstance(event, Step):
            self._show(event)

    def advance(self, done: int, total: int) -> None:
        self._move(done, total, "")

    def _show(self, step: Step) -> None:
        parts = [f"loss {step.loss:.3f}"] if step.loss is not None else []
        parts += [f"{step.images_per_second:.0f} images/s"] if step.images_per_second else []
        passes = (step.epoch or 1) - 1
        self._move(passes * step.steps + step.step, step.steps * (step.epochs or 1), ", ".join(parts))

    def _move(self, done: int, total: int, note: str) -> None:
        self.bars.update(self.bar, completed=done, total=total, count=f"{done}/{total}", note=note)


def epoch_line(row: Mapping[str, float]) -> str:
    """Tell an epoch's main figures in a line, all where a trainer has others; ``history.csv`` holds every one.

    Returns:
        ``epoch 3: train_loss 0.412, val_loss 0.398, val_roc_auc 0.913``.
    """
    shown = [name for name in MAIN_FIGURES if name in row] or [name for name in row if name != "epoch"]
    return f"epoch {row.get('epoch', 0):.0f}: " + ", ".join(f"{name} {row[name]:.3f}" for name in shown)


def _plain(text: str) -> str:
    """Keep names from being read as rich's markup, and from controlling the terminal."""
    return escape("\n".join(map(one_line, text.splitlines())))
