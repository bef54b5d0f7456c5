# Habits of developers. `just` lists them; each is one command, which can be typed without it.
# What they need is installed by `bash scripts/test`, once.

python := env("PYTHON", ".venv-test/bin/python")

_list:
    @just --list

# Format the code
format:
    {{python}} -m ruff format
    {{python}} -m ruff check --fix

# Look for mistakes
lint:
    {{python}} -m ruff check
    {{python}} -m ruff format --check

# Check the types
types:
    {{python}} -m mypy

# Run the quick tests, or those that are named
test *which:
    {{python}} -m pytest -n auto --dist loadfile --no-loadscope-reorder {{which}}

# Everything that continuous integration runs
all:
    bash scripts/test

# Build the documentation: docs/_build/index.html
docs:
    bash scripts/docs

# Build wheel and source archive into dist/
package:
    {{python}} -m build --no-isolation
