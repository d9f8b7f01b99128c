"""Kill small runs at random moments, go on with the same command, and compare with a run that nobody disturbed.

    python tests/soak/kills.py --kills 300 --seed 0 --record docs/kills.json

Every study is fetched, trained, explained and reported by the real commands. Each kill has a phase, a manner and a
moment, drawn from the seed. In the end the predictions, metrics and histories must be the bytes of the undisturbed run.
The record says what was killed when, and every deviation; the exit status is 1 if there is any. POSIX alone.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

TASKS = """
[run]
output = "run"
device = "cpu"
workers = {workers}
threads = 1
checkpoint_steps = {steps}
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = {{ from = "train", fraction = 0.3 }}
[augmentation]
horizontal_flip = 0.5
rotation = 10
[defaults]
model = "mobilenet_v3_small"  # has dropout, batch norm and few weights
epochs = 14
batch_size = 4
[defaults.trainer]
use = "fabric"
optimizer = "adamw"
weight_decay = 0.01
learning_rate = 0.002
scheduler = "cosine"
ema = 0.9
gradient_clip = 1.0
early_stopping = 6
[[task]]
name = "killed"
[evaluation]
resamples = 100
[explain]
most = 4
correct = 1
sample = 4
[report]
formats = ["html"]
"""

SAME = ("tasks/*/predictions/*.csv", "tasks/*/seeds/*/predictions/*.csv", "tasks/*/metrics.json",
        "tasks/*/seeds/*/history.csv")  # fmt: skip

# The line of the output that a phase begins with, and for how many seconds after it a kill may come.
PHASES = {
    "start": (None, 4.0),
    "loading": (": loading", 3.0),
    "training": (": training", 1.2),
    "predicting": (": predicting", 0.1),
    "evaluating": (": predicting test", 1.0),
    "maps": (": explaining", 2.0),
    "report": (": checking", 2.0),
}
ORDER = ("start", "loading", *5 * ("training",), "predicting", "evaluating", "maps", "report")
MANNERS = ("power", "parent", "child", "terminate", "everyone", "interrupt", "twice", "hang up", "writing",
           "damage")  # fmt: skip
TRAINED = {"writing", "damage", "child"}  # manners that are about a training
STOPPED = 130
ENOUGH = 600.0  # seconds that any command may take

# Dies at the n-th call of fsync or replace, with what is not yet safe on disk cut in half, as when power is lost.
DYING = """
import json, os, signal, sys
from pathlib import Path

order = Path(__file__).with_name("order.json")
if "cxrkit.training.child" in sys.orig_argv and order.is_file():
    told, calls = json.loads(order.read_text()), 0

    def dying(kind, function):
        def call(first, *others, **named):
            global calls
            calls += 1
            if calls != told["calls"]:
                return function(first, *others, **named)
            order.unlink()
            if kind == "fsync" and os.path.isfile(f"/proc/self/fd/{first}"):
                os.truncate(f"/proc/self/fd/{first}", os.fstat(first).st_size // 2)
            os.kill(os.getppid(), signal.SIGKILL)
            os.killpg(0, signal.SIGKILL)
        return call

    os.fsync, os.replace = dying("fsync", os.fsync), dying("replace", os.replace)
"""


@dataclass(frozen=True)
class Kill:
    """One kill: in which phase, how, and how many seconds after the phase began (or at which call)."""

    phase: str
    manner: str
    after: float
    calls: int


@dataclass
class Soak:
    """What has been done and found."""

    folder: Path
    rng: random.Random
    kills: list[Kill] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    studies: int = 0
    slowest_end: float = 0.0

    def deviates(self, what: str) -> None:
        print(f"DEVIATION: {what}", flush=True)
        self.deviations.append(what)


class Command:
    """A command under way, its lines as they come, and all its processes."""

    def __init__(self, folder: Path, *arguments: str, dying: Path | None = None) -> None:
        paths = [str(path) for path in (dying, os.environ.get("PYTHONPATH")) if path]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cxrkit", *arguments],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, line: str | None) -> bool:
        """Wait until a line has come; False if the command ended first."""
        while line is not None and line not in self.text:
            if self.process.poll() is not None:
                return False
            time.sleep(0.005)
        return True

    def lives_on(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def finish(self) -> int:
        status = self.process.wait(ENOUGH)
        self._reader.join(10)
        return status


def descendants(root: int) -> list[int]:
    """List the processes that one has started, and those that they have, itself first."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(map(int, line.split()) for line in listed.splitlines())
    found = [root]
    for one in found:
        found += [pid for pid, parent in parents.items() if parent == one]
    return found


def is_training(pid: int) -> bool:
    command = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "cxrkit.training.child" in command.stdout


def send(number: int, *pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


# ── The undisturbed run ───────────────────────────────────────────────────────────────────────────────────────────────


def undisturbed(soak: Soak) -> dict[str, bytes]:
    """Make the images and the run that all others are compared with."""
    folder = soak.folder / "undisturbed"
    folder.mkdir(parents=True)
    arguments = ("data", "phantom", "data", "--images", "90", "--size", "64", "--seed", "3")
    checked(folder, *arguments)
    with zipfile.ZipFile(soak.folder / "images.zip", "w") as archive:
        for path in sorted((folder / "data").rglob("*")):
            archive.write(path, path.relative_to(folder / "data"))
    (folder / "tasks.toml").write_text(TASKS.format(workers=0, steps=1000), encoding="utf-8")
    began = time.monotonic()
    checked(folder, "run", "tasks.toml")
    print(f"undisturbed run: {time.monotonic() - began:.0f} s", flush=True)
    return content(folder)


def checked(folder: Path, *arguments: str) -> None:
    command = Command(folder, *arguments)
    if command.finish() != 0:
        raise SystemExit(f"cxrkit {' '.join(arguments)} failed without being disturbed:\n{command.text}")


def content(folder: Path) -> dict[str, bytes]:
    found = {path for pattern in SAME for path in (folder / "run").glob(pattern)}
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found)}


# ── Download ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Slowly(BaseHTTPRequestHandler):
    """Serves the archive in pieces, from any byte on."""

    archive: bytes = b""

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
        start = int(asked) if self.headers.get("If-Range") == '"1"' else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.archive) - start))
        self.send_header("ETag", '"1"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.archive) - 1}/{len(self.archive)}")
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(start, len(self.archive), 1 << 14):
                self.wfile.write(self.archive[at : min(at + (1 << 14), len(self.archive))])
                time.sleep(0.02)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def served(archive: Path) -> Iterator[str]:
    handler = type("Handler", (Slowly,), {"archive": archive.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/images.zip"
    finally:
        server.shutdown()
        server.server_close()


def download(soak: Soak, folder: Path) -> None:
    """Fetch the images, killed once in the midst of it."""
    with served(soak.folder / "images.zip") as address:
        arguments = ("data", "download", address, "--output", "data")
        manner = soak.rng.choice(("power", "terminate", "interrupt"))
        kill = Kill("download", manner, soak.rng.uniform(0.2, 2.5), 0)
        command = Command(folder, *arguments)
        if command.lives_on(kill.after):
            soak.kills.append(kill)
            number = {"terminate": signal.SIGTERM, "interrupt": signal.SIGINT}.get(manner, signal.SIGKILL)
            send(number, command.process.pid)
            command.finish()
        again = Command(folder, *arguments)
        if again.finish() != 0:
            soak.deviates(f"{kill}: the download did not go on:\n{again.text}")
    whole = soak.folder / "undisturbed" / "data"
    for path in whole.rglob("*.*"):
        if path.is_file() and (folder / "data" / path.relative_to(whole)).read_bytes() != path.read_bytes():
            soak.deviates(f"{kill}: {path.name} differs")


# ── Runs that are killed ──────────────────────────────────────────────────────────────────────────────────────────────


def drawn(soak: Soak, phase: str) -> Kill:
    """Draw a kill, of a manner that has been least often until now."""
    used = Counter(kill.manner for kill in soak.kills)
    manners = [manner for manner in MANNERS if phase == "training" or manner not in TRAINED]
    fewest = min(used[manner] for manner in manners)
    manner = soak.rng.choice([manner for manner in manners if used[manner] == fewest])
    return Kill(phase, manner, soak.rng.uniform(0, PHASES[phase][1]), soak.rng.randint(1, 30))


def write_tasks(soak: Soak, folder: Path) -> None:
    """Let each call load in this process or another, and save as often as it likes: neither may change anything."""
    tasks = TASKS.format(workers=soak.rng.randint(0, 1), steps=soak.rng.randint(1, 5))
    (folder / "tasks.toml").write_text(tasks, encoding="utf-8")


def kill_and_go_on(soak: Soak, most: int, expected: dict[str, bytes]) -> None:
    """Fetch and run one study, killed once in most phases and several times in training, and compare."""
    folder = soak.folder / f"study-{soak.studies}"
    folder.mkdir()
    soak.studies += 1
    write_tasks(soak, folder)
    download(soak, folder)
    for phase in ORDER:
        if len(soak.kills) < most and disturbed(soak, folder, drawn(soak, phase)):
            break
    last = Command(folder, "run", "tasks.toml")
    if last.finish() != 0:
        soak.deviates(f"{soak.kills[-1]}: did not go on:\n{last.text}")
    compare(soak, content(folder), expected)
    for left in [*folder.glob("run/**/.*.partial"), *folder.glob("run/tasks/*/seeds/*/last")]:
        soak.deviates(f"study {soak.studies}: {left.relative_to(folder)} was left")
    shutil.rmtree(folder)


def disturbed(soak: Soak, folder: Path, kill: Kill) -> bool:
    """Run the study and kill it as told; True if it has finished by itself."""
    write_tasks(soak, folder)
    dying = ordered(soak, kill) if kill.manner == "writing" else None
    command = Command(folder, "run", "tasks.toml", dying=dying)
    if dying is None and command.wait_for(PHASES[kill.phase][0]) and command.lives_on(kill.after):
        processes = descendants(command.process.pid)
        carry_out(kill, processes)
        ended(soak, kill, command, processes)
    elif command.finish() != -signal.SIGKILL:
        if command.process.returncode != 0:
            soak.deviates(f"{kill}: ended with {command.process.returncode} before it was killed:\n{command.text}")
        return True
    soak.kills.append(kill)
    if kill.manner == "damage":
        damage(folder)
    print(f"{len(soak.kills)}: {kill.phase}, {kill.manner}", flush=True)
    valid(soak, folder, kill)
    return False


def ordered(soak: Soak, kill: Kill) -> Path:
    dying = soak.folder / "dying"
    dying.mkdir(exist_ok=True)
    (dying / "sitecustomize.py").write_text(DYING, encoding="utf-8")
    (dying / "order.json").write_text(json.dumps({"calls": kill.calls}), encoding="utf-8")
    return dying


def carry_out(kill: Kill, processes: list[int]) -> None:
    parent, *others = processes
    match kill.manner:
        case "power" | "damage":
            send(signal.SIGKILL, *processes)
        case "parent":
            send(signal.SIGKILL, parent)
        case "child":
            send(signal.SIGKILL, *filter(is_training, others))
        case "terminate":
            send(signal.SIGTERM, parent)
        case "everyone":
            send(signal.SIGTERM, *processes)
        case "hang up":  # the kernel tells the group in the foreground, and a shell its jobs
            send(signal.SIGHUP, parent)
            time.sleep(0.01)
            send(signal.SIGHUP, parent)
        case "interrupt":
            send(signal.SIGINT, parent)
        case "twice":
            send(signal.SIGINT, parent)
            time.sleep(0.05)
            send(signal.SIGINT, parent)


def ended(soak: Soak, kill: Kill, command: Command, processes: list[int]) -> None:
    """Check that everything has ended, and how."""
    began = time.monotonic()
    status = command.finish()
    while alive := [pid for pid in processes if is_alive(pid)]:
        if time.monotonic() - began > ENOUGH / 10:
            soak.deviates(f"{kill}: {alive} of {processes} still run")
            send(signal.SIGKILL, *alive)
        time.sleep(0.02)
    soak.slowest_end = max(soak.slowest_end, time.monotonic() - began)
    if kill.phase == "start":  # Python may still be importing, and say so
        return
    told = status == STOPPED and "the same command goes on" in command.text
    if kill.manner in {"terminate", "interrupt", "everyone", "twice", "hang up"} and status != 0 and not told:
        soak.deviates(f"{kill}: ended with {status}:\n{command.text}")
    if "Traceback" in command.text:
        soak.deviates(f"{kill}: a traceback:\n{command.text}")


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def damage(folder: Path) -> None:
    """Take the end of the newest saved state away, where there is an older one: a disk that did not keep its word."""
    states = sorted(folder.glob("run/tasks/*/seeds/*/last/epoch-*"), key=lambda path: path.stat().st_mtime_ns)
    if len(states) > 1:
        os.truncate(states[-1], states[-1].stat().st_size // 2)


def valid(soak: Soak, folder: Path, kill: Kill) -> None:
    """Check that nothing on disk is half-written, and that no process has left a traceback."""
    for path in (folder / "run").rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            soak.deviates(f"{kill}: {path.relative_to(folder)}: {error}")
    for log in (folder / "run").rglob("*log*"):
        if log.is_file() and "Traceback" in (text := log.read_text(encoding="utf-8", errors="replace")):
            soak.deviates(f"{kill}: {log.relative_to(folder)}:\n{text}")
            log.write_text("", encoding="utf-8")


def compare(soak: Soak, found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            soak.deviates(f"study {soak.studies}: {name} is not that of the undisturbed run")


# ── Record ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(soak: Soak, seed: int, began: float) -> dict[str, object]:
    """Say what was done and found, as JSON."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "kills": len(soak.kills),
        "studies": soak.studies,
        "by_phase": dict(sorted(Counter(kill.phase for kill in soak.kills).items())),
        "by_manner": dict(sorted(Counter(kill.manner for kill in soak.kills).items())),
        "slowest_end_seconds": round(soak.slowest_end, 1),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("cxrkit", "torch")},
        "system": f"{platform.system()} {platform.machine()}",
        "deviations": soak.deviations,
    }


def options() -> SimpleNamespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="JSON file for the result.")
    parser.add_argument("--in", dest="folder", type=Path, help="Where studies are made; a temporary folder by default.")
    return parser.parse_args(namespace=SimpleNamespace())


def main() -> int:
    """Kill as often as asked for, print the record and return 1 if anything deviated."""
    asked, began = options(), time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's job in the background ignores
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)  # which nohup ignores, and then all that is started
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        soak = Soak(Path(folder), random.Random(asked.seed))
        expected = undisturbed(soak)
        while len(soak.kills) < asked.kills:
            kill_and_go_on(soak, asked.kills, expected)
    text = json.dumps(record(soak, asked.seed, began), indent=1)
    print(text)
    if asked.record is not None:
        asked.record.write_text(text + "\n", encoding="utf-8")
    return 1 if soak.deviations else 0


if __name__ == "__main__":
    sys.exit(main())
