"""Reports from finished run directories: HTML, PDF and text, from one content."""

from cxrkit.report.writing import write

__all__ = ["write"]
