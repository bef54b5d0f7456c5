"""What a release brings besides code: a citation, forms for issues, habits for developers."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from documents import ROOT

from facegan.version import __version__

FORMS = sorted(ROOT.glob(".github/ISSUE_TEMPLATE/[!c]*.yml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_the_citation_is_of_this_version() -> None:
    said = read("CITATION.cff")
    # What the format, version 1.2.0, requires.
    assert {"cff-version", "message", "title", "authors"} <= said.keys()
    assert all({"name", "family-names"} & author.keys() for author in said["authors"])
    assert (said["version"], said["license"]) == (__version__, "Apache-2.0")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_for_issues_can_be_filled_in(path: Any) -> None:
    form = yaml.safe_load(path.read_text("utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    names = [field["id"] for field in form["body"]]
    assert len(set(names)) == len(names)
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_there_are_forms() -> None:
    assert len(FORMS) >= 3


def test_habits_call_what_is_there() -> None:
    text = (ROOT / "justfile").read_text("utf-8")
    recipes = re.findall(r"^([a-z]+)(?: \*\w+)?:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert {name for name, _ in recipes} >= {"format", "lint", "types", "test", "docs", "package"}
    for _, body in recipes:
        for script in re.findall(r"bash (\S+)", body):
            assert (ROOT / script).is_file()


def test_every_python_that_is_promised_is_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    promised = [
        version
        for line in project["classifiers"]
        if (version := line.rpartition(" :: ")[2])[:2] == "3."
    ]
    jobs = read(".github/workflows/tests.yml")["jobs"]
    for job in ("tests", "packages"):
        assert jobs[job]["strategy"]["matrix"]["python"] == promised
        for step in jobs[job]["steps"]:
            for script in re.findall(r"bash (\S+)", step.get("run", "")):
                assert (ROOT / script).is_file()


@pytest.mark.parametrize("name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "LICENSE"])
def test_what_a_visitor_looks_for_is_there(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8")) > 500
