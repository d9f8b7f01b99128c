"""A bar on standard error while something is counted, where a terminal shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, and give what is to be called with how many of how many are done.

    Args:
        what: stands before the bar.
        quiet: show nothing.
    """
    from rich.progress import Progress

    from cxrkit.run.progress import standard_error

    console = standard_error()
    if quiet or not console.is_terminal:  # a bar that is only disabled leaves an empty line, before rich 15
        yield lambda _done, _total: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
