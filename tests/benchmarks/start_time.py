"""Print how many times longer ``cxrkit --help`` takes than a one-command click program; at most 3 is wanted.

Run it with ``python tests/benchmarks/start_time.py``. Runs of both alternate, so that a busy machine slows both alike.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
PLAIN = """
import click

@click.command()
@click.option("--name", help="Whom to greet.")
def main(name):
    "Greet."
    click.echo(name)

main()
"""


def seconds(command: list[str]) -> float:
    """Time one run of a command."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """Alternate both programs and compare the medians."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.py"
        plain.write_text(PLAIN, encoding="utf-8")
        commands = {
            "click": [sys.executable, str(plain), "--help"],
            "cxrkit": [sys.executable, "-c", "from cxrkit.cli import main; main()", "--help"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(RUNS + 1):
            for name, command in commands.items():
                took = seconds(command)
                if turn:  # the first turn fills the caches of the file system
                    times[name].append(took)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name} --help: {1000 * median:.0f} ms (median of {RUNS})")
    print(f"ratio: {medians['cxrkit'] / medians['click']:.2f} (wanted: at most 3)")


if __name__ == "__main__":
    main()
