"""Evaluate and compare chest X-ray classifiers.

Public, for plugins: :data:`hookimpl`, the modules :mod:`cxrkit.api`, :mod:`cxrkit.errors` and, for metric reporters,
:mod:`cxrkit.metrics`, :mod:`cxrkit.intervals` and :mod:`cxrkit.bootstrap`.
"""

from typing import TYPE_CHECKING

from pluggy import HookimplMarker

hookimpl = HookimplMarker("cxrkit")
"""Marks a plugin's functions as implementations of cxrkit's hooks."""

if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__", "hookimpl"]


def __getattr__(name: str) -> str:
    # importlib.metadata costs a fifth of the start of the command line, so the version is read where it is asked for.
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cxrkit")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
