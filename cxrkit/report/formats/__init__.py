"""The formats of a report: each shows the same content and computes nothing of its own."""
