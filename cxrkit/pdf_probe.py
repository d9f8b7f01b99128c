"""Make a tiny PDF and tell as JSON how it went; a process of its own, since without fonts Pango may crash.

``python -m cxrkit.pdf_probe`` prints ``{"failure", "fonts", "harfbuzz_subset", "bytes"}``.
"""

import json
import logging
import sys
import warnings
from contextlib import redirect_stdout
from typing import Any

PAGE = "<meta charset='utf-8'><p>Sensitivity 95 % (n ≥ 30)</p>"


def probe() -> dict[str, Any]:
    """Import WeasyPrint and let it write a page.

    Returns:
        ``failure``: why it cannot, or None; ``fonts``: whether there are any; ``harfbuzz_subset``: whether it is there;
        ``bytes``: the size of the PDF, or None where none was made.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            from weasyprint import HTML
        except (ImportError, OSError) as error:
            return {"failure": str(error).splitlines()[0], "fonts": None, "harfbuzz_subset": None, "bytes": None}
    messages = " ".join(str(warning.message) for warning in caught)
    told: dict[str, Any] = {"failure": None, "fonts": "FontConfig" not in messages, "bytes": None}
    told["harfbuzz_subset"] = "HarfBuzz-Subset" not in messages
    if told["fonts"]:
        logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
        told["bytes"] = len(HTML(string=PAGE).write_pdf())
    return told


def main() -> None:
    """Print the outcome; what WeasyPrint prints itself goes to standard error."""
    with redirect_stdout(sys.stderr):
        told = probe()
    print(json.dumps(told))  # noqa: T201 - this is what the process is for


if __name__ == "__main__":
    main()
