"""The shape of the house: who may import whom, and what starts fast."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "facegan"
MODULES = sorted(SOURCE.rglob("*.py"))

# Lowest first. A layer may import itself, the layers above it in this list, and nothing
# else. Rooms that do not exist yet have their place already.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "version errors parsing startup documents callables",
        "values notebook",
        "config budget shipped disk locks files cache progress registry",
        "plugins",
        "seeding schedule device",
        "memory faces",
        "optimizers data",
        "portraits",
        "networks",
        "losses augment",
        "methods",
        "recipe",
        "evaluation",
        "models",
        "runs",
        "generation",
        "editing training",
        "loggers",
        "apps",
        "study",
        "report",
        "studio cli",
        "__init__ __main__",
    )
)
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
# Rooms on one level that must not know each other.
STRANGERS = {("training", "evaluation"), ("optimizers", "data"), ("augment", "losses")}
# The evaluation judges pictures, whoever made them: it knows neither runs nor training.
EVALUATION_MAY = {
    *(
        "version",
        "errors",
        "startup",
        "parsing",
        "config",
        "disk",
        "locks",
        "files",
        "cache",
        "progress",
        "documents",
        "plugins",
        "seeding",
        "registry",
        "values",
        "callables",
        "notebook",
        "device",
        "memory",
    ),
    *("faces", "data", "portraits", "networks", "evaluation"),
}


def room(module: str) -> str:
    """`facegan.training.loop` → `training`."""
    return [*module.split("."), "__init__"][1]


def name_of(path: Path) -> str:
    parts = ["facegan", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imported(path: Path) -> set[str]:
    """Every module of facegan that a file imports, anywhere in it, for types alone included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used here"
            # `from facegan.runs import checkpoint` may import a module, `from facegan import x`
            # too: the longest name decides.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "facegan"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    mine = room(name_of(path))
    assert mine in LEVEL, f"{mine} has no place among the layers: give it one in LAYERS"
    for name in sorted(imported(path)):
        other = room(name)
        assert other in LEVEL, f"{path} imports {name}, which has no place among the layers"
        assert LEVEL[other] <= LEVEL[mine], f"{mine} must not know {other} ({path}: {name})"
        pair = {(mine, other), (other, mine)}
        assert not pair & STRANGERS, f"{mine} and {other} must not know each other ({path})"
        if mine == "evaluation":
            assert other in EVALUATION_MAY, f"evaluation must not know {other} ({path}: {name})"


def test_the_check_sees_imports_wherever_they_are(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nimport facegan.cli\n"
        "if TYPE_CHECKING:\n    from facegan.apps.train import train\n"
        "def f():\n    from facegan.runs import checkpoint\n",
        "utf-8",
    )
    assert {room(name) for name in imported(file)} == {"cli", "apps", "runs"}


# What reads JSON and TOML without limits.
UNLIMITED = {("json", "load"), ("json", "loads"), ("tomllib", "load"), ("tomllib", "loads")}
# Beside the one place with limits: lines that facegan's own processes write to each other.
OWN_LINES = {"parsing.py", "apps/processes.py", "study/worker.py"}


def unlimited(text: str) -> set[tuple[str, str]]:
    """What of UNLIMITED a module's text names."""
    nodes = list(ast.walk(ast.parse(text)))
    called = {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    imported_by_name = {
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    return UNLIMITED & (called | imported_by_name)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_place_reads_json_and_toml(path: Path) -> None:
    if path.relative_to(SOURCE).as_posix() not in OWN_LINES:
        assert unlimited(path.read_text("utf-8")) == set(), "facegan.parsing reads with limits"


def test_the_check_sees_readers() -> None:
    for text in ("import json\njson.loads('')", "from json import loads", "tomllib.load(f)"):
        assert unlimited(text), text
    for text in ("import json\njson.dumps({})", "from json import dumps"):
        assert not unlimited(text), text


HEAVY = ("torch", "numpy", "cv2", "PIL", "pydantic", "matplotlib", "rich", "safetensors")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["data", "import", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, contextlib\n"
        f"sys.argv = ['facegan', *{arguments!r}]\n"
        "from facegan.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        "print('loaded:', *sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    output, _, loaded = done.stdout.rpartition("loaded:")
    assert output.strip(), "the help itself was not printed"
    assert not set(loaded.split()) & set(HEAVY)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, facegan; assert 'Recipe' in dir(facegan);"
        f"bad = set(sys.modules) & set({HEAVY!r}); assert not bad, bad;"
        "facegan.Recipe; facegan.train; facegan.generate; facegan.Dataset; facegan.FaceganError;"
        "facegan.evaluate; facegan.compare;"
        "facegan.import_images"
    )
    environment = os.environ | {"PYTHONWARNINGS": "error::DeprecationWarning:facegan"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, env=environment)


# What builds commands for people to type, or types some itself.
SPEAKS_OF_OPTIONS = (
    *("cli/", "report/", "runs/commands", "runs/diagnosis/", "models/card", "models/readme"),
    *("apps/packing", "study/plan", "study/execution/cluster", "runs/provenance"),
    *("generation/onnx_engine", "evaluation/extractors/", "evaluation/dlib_models"),
    *("faces/weights", "networks/backbones/", "data/dataset"),
)


def test_the_library_never_speaks_of_options() -> None:
    """It names its parameters; the command line turns them into options (`cli/wording.py`)."""
    found = []
    for path in MODULES:
        place = path.relative_to(SOURCE).as_posix()
        if place.startswith(SPEAKS_OF_OPTIONS):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
        }
        found += [
            f"{place}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if id(node) not in docstrings and re.search(r"(?<![\w-])--[a-z]", node.value)
        ]
    assert found == []
