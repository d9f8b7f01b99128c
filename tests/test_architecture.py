"""What the layout promises: imports point one way, built-in plugins are like anyone else's, torch stays on its side."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cxrkit.cli import COMMANDS

ROOT = Path(__file__).parents[1]

ORDER = [
    "errors",
    "bounded",
    "pickled",
    "weight_files",
    "files",
    "formats",
    "api",
    "one_line",
    "pictures",
    "sections",
    "metrics",
    "intervals",
    "areas",
    "bootstrap",
    "calibration",
    "utility",
    "heterogeneity",
    "multiplicity",
    "hookspecs",
    "unchanged",
    "guard",
    "options",
    "registry",
    "entry_points",
    "discovery",
    "overlay_colours",
    "records",
    "rundir",
    "locking",
    "environment",
    "unforeseen",
    "printing",
    "pdf_probe",
    "doctor",
    "config",
    "plans",
    "data",
    "evaluation",
    "report",
    "monitoring",
    "scaffold",
    "training",
    "testing",
    "run",
    "cli",
]
"""A module or package of ``cxrkit`` imports only what stands before it."""

PUBLIC = {
    "cxrkit",
    "cxrkit.api",
    "cxrkit.errors",
    "cxrkit.metrics",
    "cxrkit.intervals",
    "cxrkit.areas",
    "cxrkit.bootstrap",
    "cxrkit.calibration",
    "cxrkit.utility",
    "cxrkit.heterogeneity",
    "cxrkit.weight_files",
}
WITH_TORCH = "cxrkit.weight_files"  # for the left half and its plugins
TORCH = {"torch", "torchvision", "torchcam", "lightning_fabric", "lightning", "tensorboard", "timm"}
CHECKS_OF_TRAINING = {"models.py", "strategies.py", "trainers.py", "contexts.py", "epoch_events.py"}  # of testing
TRAINING_PLUGINS = {"models.py", "imbalance.py", "trainers.py", "trackers.py", "mlflow_epochs.py"}


def imports(path, package, *, type_checking=True):
    """The absolute names of every module that a file imports, lazily or not."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if not type_checking:
        nodes = without_type_checking(ast.parse(path.read_text(encoding="utf-8")))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from imported_from(node, package)


def imported_from(node, package):
    """``from x import y`` may import the module ``x.y``, so both names count where x is a package of ours."""
    module = node.module or ""
    if node.level:
        base = package.split(".")[: len(package.split(".")) - node.level + 1]
        module = ".".join([*base, *([module] if module else [])])
    yield module
    folder = ROOT / module.replace(".", "/")
    yield from (
        f"{module}.{a.name}" for a in node.names if (folder / f"{a.name}.py").exists() or (folder / a.name).is_dir()
    )


def without_type_checking(tree):
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def package_of(path):
    return ".".join(path.relative_to(ROOT).parent.parts)


def part(path):
    """The module or package of cxrkit that a file belongs to; None for ``cxrkit/__init__.py`` and ``__main__.py``."""
    relative = path.relative_to(ROOT / "cxrkit")
    name = relative.parts[0].removesuffix(".py")
    return None if name.startswith("__") else name


def identify(path):
    return str(path.relative_to(ROOT)).replace("\\", "/")


@pytest.mark.parametrize("path", [path for path in sources("cxrkit") if part(path)], ids=identify)
def test_imports_point_one_way(path):
    own = part(path)
    assert own in ORDER, f"{own} has no place in the order yet"
    names = {name.split(".")[1] for name in imports(path, package_of(path)) if name.startswith("cxrkit.")}
    later = {name for name in names if name in ORDER and ORDER.index(name) > ORDER.index(own)}
    assert not later


@pytest.mark.parametrize("path", sources("cxrkit"), ids=identify)
def test_the_core_never_imports_the_built_in_plugins(path):
    assert not [name for name in imports(path, package_of(path)) if name.split(".")[0] == "cxrkit_plugins"]


@pytest.mark.parametrize("path", sources("plugins"), ids=identify)
def test_built_in_plugins_import_what_a_strangers_could(path):
    package = package_of(path).replace("plugins", "cxrkit_plugins", 1)
    ours = {name for name in imports(path, package) if name.split(".")[0] == "cxrkit"}
    assert ours <= PUBLIC | {f"{module}.{name}" for module in PUBLIC for name in ("hookimpl",)}


@pytest.mark.parametrize("path", [*sources("cxrkit"), *sources("plugins")], ids=identify)
def test_torch_stays_in_the_left_half(path):
    relative = path.relative_to(ROOT)
    allowed = relative.parts[:2] in {("cxrkit", "training"), ("cxrkit", "weight_files.py")}
    allowed |= relative.parts[:2] == ("cxrkit", "testing") and path.name in CHECKS_OF_TRAINING
    allowed |= relative.parts[0] == "plugins" and (relative.parts[1] in TRAINING_PLUGINS or not is_entry_point(path))
    if not allowed:
        found = set(imports(path, package_of(path), type_checking=False))
        assert not {name.split(".")[0] for name in found} & TORCH
        assert relative.parts[:2] == ("cxrkit", "run") or WITH_TORCH not in found


def is_entry_point(path):
    """Helpers beside the built-in plugins are judged by the subprocess tests below, through who imports them."""
    return f'"cxrkit_plugins.{path.stem}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# ── Real processes ────────────────────────────────────────────────────────────────────────────────────────────────────

WITHOUT_TORCH = """
import sys
from cxrkit.cli import main
status = 0
try:
    main()
except SystemExit as leaving:
    status = leaving.code
found = sorted({name.split(".")[0] for name in sys.modules} & %r)
print("imported:", *found, file=sys.stderr)
sys.exit(status)
""" % (TORCH | {"safetensors"})


def run_without_torch(*arguments):
    """Run the command line in a process of its own; torch must not be imported and the status must be 0."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert finished.stderr.splitlines()[-1] == "imported:", finished.stderr
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture
def prediction_files(tmp_path):
    """Two vendors' predictions of the same forty images."""
    files = []
    for vendor, sharpness in (("north", 0.3), ("south", 0.2)):
        path = tmp_path / f"{vendor}.csv"
        rows = ["image,patient,label,p_NORMAL,p_PNEUMONIA"]
        for n in range(40):
            sick = n % 2
            score = min(
                max(0.5 + (sharpness if sick else -sharpness) + 0.01 * (n % 7) - 0.35 * (n % 5 == 0), 0.01), 0.99
            )
            label = "PNEUMONIA" if sick else "NORMAL"
            rows.append(f"image{n}.png,patient{n // 2},{label},{1 - score!r},{score!r}")
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        files.append(path)
    return files


def test_importing_cxrkit_imports_no_torch():
    code = "import cxrkit, cxrkit.api, cxrkit.metrics, cxrkit.plans, sys; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "False\n"


@pytest.mark.parametrize(
    "arguments", [(), *((name,) for name in COMMANDS)], ids=lambda names: " ".join(names) or "cxrkit"
)
def test_help_imports_no_torch(arguments):
    assert "Usage:" in run_without_torch(*arguments, "--help")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_listing_plugins_imports_no_torch(options):
    assert "folder" in run_without_torch("plugins", "list", *options)


def test_checking_data_imports_no_torch(tmp_path):
    run_without_torch("data", "phantom", tmp_path / "phantom", "--images", "40", "--size", "64")
    assert "PNEUMONIA" in run_without_torch("data", "check", tmp_path / "phantom")


def test_reporting_predictions_imports_no_torch(prediction_files, tmp_path):
    output = tmp_path / "report"
    run_without_torch("report", *prediction_files, "--output", output, "--format", "html", "--format", "txt")
    assert list(output.rglob("report.html"))
    assert list(output.rglob("comparison_report.txt"))


def test_monitoring_imports_no_torch(prediction_files, tmp_path):
    run_without_torch("monitor", *prediction_files, "--sigma", "9", "--psi", "9", "--ks", "2", "--output", tmp_path)
    assert (tmp_path / "monitoring.html").is_file()
