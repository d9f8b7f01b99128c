"""How long the reports of a finished run take, each in a process of its own, and how large they are.

``python tests/benchmarks/report_time.py RUN [REPETITIONS]``; the goals are 4 s for HTML and 12 s for PDF, on two tasks.
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

NAMES = {"html": "report.html", "pdf": "report.pdf", "txt": "comparison_report.txt"}


def main() -> None:
    run, repetitions = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    for name in NAMES:
        runs = [measured(run, name) for _ in range(repetitions)]
        seconds = min(second for second, _ in runs)
        print(f"{name:5} {seconds:6.2f} s, best of {repetitions}; {runs[0][1] / 2**20:.2f} MiB")


def measured(run: str, name: str) -> tuple[float, int]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cxrkit", "report", run, "--output", folder, "--format", name]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start, (Path(folder) / NAMES[name]).stat().st_size


if __name__ == "__main__":
    main()
