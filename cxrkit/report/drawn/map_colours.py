"""What the colours of the activation maps mean."""

from cxrkit.overlay_colours import bar
from cxrkit.report.content import ColourBar

LEAST, MOST = "0: no evidence", "1: the map's own greatest value"
STOPS = 17  # of the bar; between them a browser mixes


def colour_bar() -> ColourBar:
    """Give the bar of the colours that a map lays over medium grey."""
    colours = tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in bar(STOPS).tolist())
    return ColourBar(
        colours,
        LEAST,
        MOST,
        "Colours of the maps over medium grey: the stronger the evidence, the brighter the colour and the less of the "
        "image shows through; where there is none, the image stays as it is. The bar is each map's own: equal "
        "colours on two maps do not mean equal evidence.",
    )
