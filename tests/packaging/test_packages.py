"""What users install: wheel and source archive, built, looked into, installed, used."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# A model in the box and what a page needs to run one; more than this is worth a thought.
LARGEST = 30e6

pytest.importorskip("build")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Built from the files that git knows, or would, as a release is."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


def sources() -> set[str]:
    """Every file of the package in this checkout."""
    package = ROOT / "src"
    return {
        path.relative_to(package).as_posix()
        for path in (package / "facegan").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(
    archives: dict[str, Path],
) -> None:
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        names = set(wheel.namelist())
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == sources()
    assert any(name.endswith("licenses/LICENSE") for name in about)


def test_the_archive_has_what_it_takes_to_build_again(archives: dict[str, Path]) -> None:
    with tarfile.open(archives["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in sources()} <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_they_are_no_larger_than_a_model_and_its_page(archives: dict[str, Path]) -> None:
    for path in archives.values():
        assert path.stat().st_size < LARGEST, f"{path.name}: {path.stat().st_size / 1e6:.1f} MB"


def test_what_an_index_shows(archives: dict[str, Path]) -> None:
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        about = email.message_from_bytes(wheel.read(name))
    assert about["Name"] == "facegan"
    assert about["Requires-Python"] == "<3.14,>=3.11"
    assert about["License-Expression"] == "Apache-2.0"
    assert set(about.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert "# facegan" in about.get_payload()


def test_an_installed_copy_works_where_no_checkout_is(
    archives: dict[str, Path], tmp_path: Path
) -> None:
    """Its dependencies are there already; facegan itself comes from the wheel alone."""
    place = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(place), str(archives["wheel"])], check=True)
    code = (
        "import facegan, sys\n"
        f"assert facegan.__file__.startswith({str(place)!r}), facegan.__file__\n"
        "faces = facegan.load().sample(2)\n"
        "assert faces.images.shape == (2, 64, 64, 3)\n"
        "assert facegan.Recipe.load('ignm-cpu').name == 'ignm-cpu'\n"
        "assert 'lfw-64' in facegan.model_card('lfw-64')\n"
        "assert facegan.Plan.load('quick').claims\n"
        "from facegan.cli import main\n"
        "sys.argv = ['facegan', 'generate', '-n', '4']\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "4 generated faces" in done.stdout


def test_every_extra_is_told_of_by_the_doctor() -> None:
    from facegan.apps.doctor import EXTRAS

    page = (ROOT / "docs/install.md").read_text("utf-8")
    for extra in EXTRAS:
        assert f"| `{extra.name}` | {extra.adds} |" in page
    of_developers = {"test", "parity", "browser", "dev", "docs"}
    assert {extra.name for extra in EXTRAS} == set(PROJECT["optional-dependencies"]) - of_developers
