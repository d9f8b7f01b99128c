"""Evaluate and compare chest X-ray classifiers.

Public, for plugins: :data:`hookimpl`, the modules :mod:`cxrkit.api`, :mod:`cxrkit.errors` and :mod:`cxrkit.metrics`.
"""

from importlib.metadata import PackageNotFoundError, version

from pluggy import HookimplMarker

try:
    __version__ = version("cxrkit")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

hookimpl = HookimplMarker("cxrkit")
"""Marks a plugin's functions as implementations of cxrkit's hooks."""

__all__ = ["__version__", "hookimpl"]
