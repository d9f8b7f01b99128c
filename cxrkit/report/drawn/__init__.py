"""The figures of a report: one visual language, drawn only where a format shows them."""
