"""Figures for papers: in every form, with embedded fonts, from the numbers beside them."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import pytest
from PIL import Image
from run_pages import measure

from facegan.errors import FaceganError
from facegan.report.figures import run_figures, study_figures
from facegan.report.pages import compare, report
from facegan.report.paper import Bar, Effect, write_bars, write_effects, write_plot
from facegan.report.plots import Line, Plot
from facegan.study.folder import StudyFolder
from facegan.study.verdicts import judge

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "ignm-lfw32"
FORMS = (".pdf", ".png", ".svg")
INCHES = re.compile(rb"/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]")


@pytest.fixture(scope="module")
def of_study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("figures")
    return {path.name: path for path in study_figures(STUDY, folder)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fonts(pdf: bytes) -> tuple[int, int]:
    """How many fonts a PDF embeds, and how many it only names or draws as pictures."""
    text = pdf
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            text += zlib.decompress(found[1])
        except zlib.error:
            continue
    return text.count(b"/FontFile2"), text.count(b"/Subtype /Type3")


def require_sound(path: Path) -> None:
    """A figure in one form is what its name says, no wider than a page, fonts included."""
    content = path.read_bytes()
    if path.suffix == ".png":
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.width in (990, 2040)
    elif path.suffix == ".svg":
        root = ElementTree.fromstring(content)
        # Letters are outlines: no reader needs a font.
        assert not [each for each in root.iter() if each.tag.endswith("}text")]
    else:
        assert content.startswith(b"%PDF")
        box = INCHES.search(content)
        assert box is not None
        assert round(float(box[1]) / 72, 2) in (3.3, 6.8)
        embedded, drawn = fonts(content)
        assert embedded > 0
        assert drawn == 0
        assert b"CreationDate" not in content


def test_a_study_has_every_figure_in_every_form(of_study: dict[str, Path]) -> None:
    names = {name.rpartition(".")[0] for name in of_study if name.startswith("figure-")}
    assert names == {
        *("figure-bars", "figure-budgets", "figure-claims", "figure-strip-1", "figure-strip-2"),
        *("figure-curves-fd-kimg", "figure-curves-fd-seconds"),
    }
    for name in names:
        for form in FORMS:
            require_sound(of_study[name + form])
    assert {"results.csv", "claims.csv", "tables.tex", "figures.tex"} <= set(of_study)


def test_the_numbers_beside_a_figure_are_the_studys(of_study: dict[str, Path]) -> None:
    results = StudyFolder(STUDY).results()
    bars = rows(of_study["figure-bars.csv"])
    assert [bar["method"] for bar in bars][:2] == ["ignm-cpu", "dcgan"]
    seeds = [float(x) for x in bars[0]["seeds"].split()]
    assert seeds == [trial.score("fd") for trial in results.of("faces", "ignm-cpu").values()]
    assert bars[1]["note"].startswith("recall 0")
    claims = {row["claim"]: row for row in rows(of_study["figure-claims.csv"])}
    for one in judge(results):
        row = claims[one.claim.says]
        assert row["verdict"] == one.verdict
        assert row["changed_after_results"] == "true"
        assert float(row["ratio"]) == pytest.approx(one.means[1] / one.means[0])
    curve = [row for row in rows(of_study["figure-curves-fd-kimg.csv"]) if row["line"] == "dcgan"]
    assert len(curve) == 5
    budgets = rows(of_study["figure-budgets.csv"])
    assert all(float(row["low"]) <= float(row["y"]) <= float(row["high"]) for row in budgets)


def test_it_is_the_same_again(of_study: dict[str, Path], tmp_path: Path) -> None:
    for path in study_figures(STUDY, tmp_path):
        assert path.read_bytes() == of_study[path.name].read_bytes(), path.name


def compiled(folder: Path) -> None:
    """Have LaTeX make a document of all figures and tables, where one is installed."""
    text = (folder / "figures.tex").read_text("utf-8")
    for command, braced in re.findall(r"\\(includegraphics|input)\{([^}]*)\}", text):
        assert (folder / braced).is_file(), command
    for file in folder.glob("*.tex"):
        source = re.sub(r"\\.|%.*", "", file.read_text("utf-8"))
        assert source.count("{") == source.count("}"), file.name
        source = file.read_text("utf-8")
        for begin in re.findall(r"\\begin\{(\w+)\}", source):
            assert source.count(f"\\begin{{{begin}}}") == source.count(f"\\end{{{begin}}}")
        # Each row of a table has as many cells as its head.
        for table in re.findall(r"\\toprule(.*?)\\bottomrule", source, re.DOTALL):
            lines = [line for line in table.split("\n") if line.rstrip().endswith(r"\\")]
            assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1
    latex = shutil.which("pdflatex") or shutil.which("tectonic")
    if latex is None:
        return
    options = [] if "tectonic" in latex else ["-interaction=nonstopmode", "-halt-on-error"]
    ended = subprocess.run(
        [latex, *options, "figures.tex"], cwd=folder, capture_output=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout.decode(errors="replace")[-2000:]
    assert (folder / "figures.pdf").read_bytes().startswith(b"%PDF")


def test_latex_makes_a_document_of_a_study(of_study: dict[str, Path], tmp_path: Path) -> None:
    for path in of_study.values():
        shutil.copy(path, tmp_path)
    compiled(tmp_path)


def test_a_run_and_several(run: Path, tmp_path: Path) -> None:
    measure(run, 60.0)
    one = run_figures([run], tmp_path / "one")
    names = {path.name for path in one}
    for name in ("figure-curves-losses", "figure-curves-logits", "figure-strip"):
        for form in FORMS:
            require_sound(tmp_path / "one" / f"{name}{form}")
    (scores,) = rows(tmp_path / "one" / "table.csv")
    assert float(scores["fd"]) == 60.0
    assert scores["run"] == run.name
    assert {"table.tex", "figures.tex"} <= names
    compiled(tmp_path / "one")

    other = Path(shutil.copytree(run, tmp_path / "another_run"))
    several = run_figures([run, other], tmp_path / "two")
    assert "figure-bars.pdf" in {path.name for path in several}
    assert len(rows(tmp_path / "two" / "table.csv")) == 2
    compiled(tmp_path / "two")
    with pytest.raises(FaceganError, match="given twice"):
        run_figures([run, run], tmp_path / "three")


def test_a_run_without_scores_or_pictures_has_what_there_is(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "samples")
    names = {path.name for path in run_figures([run], tmp_path)}
    assert "figure-curves-losses.pdf" in names
    assert not {"table.tex", "figure-strip.pdf"} & names
    compiled(tmp_path)


def test_a_page_is_not_called_a_pdf(run: Path, tmp_path: Path) -> None:
    for name in ("x.pdf", "x.png"):
        with pytest.raises(FaceganError, match="a page is HTML"):
            report(run, tmp_path / name)
        with pytest.raises(FaceganError, match="a page is HTML"):
            compare([run, run], tmp_path / name)
    assert not list(tmp_path.glob("x.*"))
    assert report(run, tmp_path / "x.HTML").exists()


@pytest.mark.parametrize("value", [1e-3, 5.0, 4e5])
def test_any_size_of_numbers_can_be_drawn(value: float, tmp_path: Path) -> None:
    bars = [Bar("a", value, (0.9 * value, 1.1 * value), (value,)), Bar("b", 9 * value, None, ())]
    write_bars(bars, "FD", None, tmp_path, "bars")
    size = min(value, 300.0)
    effects = [Effect("A claim.", (size, -size, 2 * size), "holds", False)]
    write_effects(effects, 0.05, "times better", tmp_path, "claims")
    line = Line("one", [(1.0, value), (2.0, 3 * value)], 1, band=[(1.0, value, 2 * value)])
    write_plot(Plot("p", "FD against images", "", [line], log=True), tmp_path, "plot")
    assert {path.suffix for path in tmp_path.iterdir()} == {*FORMS, ".csv"}
