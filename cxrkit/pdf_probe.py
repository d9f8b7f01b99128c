"""Make a tiny PDF and tell as JSON how it went; a process of its own, since without fonts Pango may crash.

``python -m cxrkit.pdf_probe`` prints ``{"failure", "fonts", "harfbuzz_subset", "bytes"}``.
"""

import json
from typing import Any

from cxrkit.printing import MissingLibraryError, load

PAGE = "<meta charset='utf-8'><p>Sensitivity 95% (n ≥ 30)</p>"


def probe() -> dict[str, Any]:
    """Let WeasyPrint write a page.

    Returns:
        ``failure``: why it cannot, or None; ``fonts``: whether there are any; ``harfbuzz_subset``: whether it is there;
        ``bytes``: the size of the PDF, or None where none was made.
    """
    try:
        printer = load()
    except MissingLibraryError as error:
        return {"failure": str(error), "fonts": None, "harfbuzz_subset": None, "bytes": None}
    size = len(printer.html(string=PAGE).write_pdf()) if printer.fonts else None
    return {"failure": None, "fonts": printer.fonts, "harfbuzz_subset": printer.harfbuzz_subset, "bytes": size}


def main() -> None:
    """Print the outcome."""
    print(json.dumps(probe()))  # noqa: T201 - this is what the process is for


if __name__ == "__main__":
    main()
