"""Reporting checklists as appendices: what of each the report has filled, what the author must add."""

from cxrkit.report.checklists.appendices import sections

__all__ = ["sections"]
