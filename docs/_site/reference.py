"""The pages of the reference, written from facegan itself: what it can do, it can say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from docstrings import escaped, first_line, markdown, signature, table

import facegan
from facegan.cli import cli
from facegan.recipe import Recipe, recipe_names

# Grids of the results, by recipe: made with the commands in results.md, none picked.
GRIDS = {
    "gan": "gan-15min.png",
    "tanh-gan": "tanh-gan-15min.png",
    "dcgan": "dcgan-15min.png",
    "dcgan-staged": "dcgan-staged-15min.png",
    "wgan-gp": "wgan-gp.png",
    "sngan": "sngan.png",
    "sagan": "sagan.png",
    "ignm-cpu": "ignm-cpu.png",
    "r3gan-cpu": "r3gan-cpu.png",
    "projected": "projected.png",
}
Pages = dict[str, str]


def pages(docs: Path) -> Pages:
    """Every page of the reference, by its path below `docs`, as Markdown."""
    made: Pages = {}
    _commands(made)
    _recipes(made, docs)
    _kinds(made)
    _names(made)
    made["reference/index.md"] = _index(made)
    return made


def write(docs: Path) -> None:
    """Write the pages; what has not changed is not touched, so that it is not built again."""
    made = pages(docs)
    for name, text in made.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in (docs / "reference").rglob("*.md"):
        if path.relative_to(docs).as_posix() not in made:
            path.unlink()


# --- commands -----------------------------------------------------------------------------
def commands(
    group: click.Group = cli, before: str = "facegan"
) -> Iterator[tuple[str, click.Command]]:
    """Every command by its words."""
    for name, command in group.commands.items():
        yield f"{before} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")


def _commands(made: Pages) -> None:
    names = []
    for words, command in commands():
        page = "-".join(words.split()[1:])
        names.append((words, page, command))
        made[f"reference/commands/{page}.md"] = _command(words, command)
    rows = [[f"[`{words}`]({page}.md)", _said(command)] for words, page, command in names]
    toc = _toctree(page for _, page, _ in names)
    made["reference/commands/index.md"] = (
        "# Commands\n\nEvery command of facegan. `facegan COMMAND --help` prints the same text. Every command also accepts\n"
        f"`--plugin FILE.py|MODULE`, to load networks, losses and other kinds of your own.\n\n{table(['command', 'what it does'], rows)}\n\n{toc}"
    )


def _said(command: click.Command) -> str:
    return escaped(inspect.cleandoc(command.help or "").partition("\n")[0])


def _command(words: str, command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "")
    paragraphs, examples = [], []
    for part in text.split("\n\n"):
        lines = [line for line in part.splitlines() if line.strip("\b ")]
        if lines and all(line.strip().startswith(("Example:", "facegan ")) for line in lines):
            examples += [line.strip().removeprefix("Example:").strip() for line in lines]
        else:
            paragraphs.append("\n".join(escaped(line) for line in lines))
    context = click.Context(command, info_name=words)
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [f"# {words}", "\n\n".join(paragraphs), f"```text\n{words} {usage}\n```"]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    rows = [
        [
            f"`{', '.join([*option.opts, *option.secondary_opts])}{_metavar(option, context)}`",
            _option(option, context),
        ]
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    if rows:
        parts.append(table(["option", "meaning"], rows))
    return "\n\n".join(parts) + "\n"


def _metavar(option: click.Option, context: click.Context) -> str:
    return "" if option.is_flag else f" {option.make_metavar(context)}".replace("|", "\\|")


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    return escaped(" ".join((record[1] if record else "").split()))


# --- recipes ------------------------------------------------------------------------------
def _recipes(made: Pages, docs: Path) -> None:
    from facegan.apps.recipes import recipes

    listed = {each.name: each for each in recipes()}
    rows, shown = [], []
    for name in recipe_names():
        recipe, about = Recipe.load(name), listed[name]
        sizes = (
            [f"{about.size.generator:,}", f"{about.size.discriminator:,}"]
            if about.size
            else ["", ""]
        )
        rows.append(
            [f"[`{name}`]({name}.md)", escaped(recipe.title), *sizes, escaped(recipe.source)]
        )
        made[f"reference/recipes/{name}.md"] = _recipe(recipe, about)
        if name in GRIDS:
            shown.append(
                f"## {escaped(recipe.title)}\n\n[`{name}`](../recipes/{name}.md): {escaped(recipe.source)}\n\n"
                f"![Faces by {name}, none picked](../../images/results/{GRIDS[name]})"
            )
        assert name not in GRIDS or (docs / "images/results" / GRIDS[name]).exists(), name
    head = ["recipe", "what it is", "parameters of G", "of D", "source"]
    made["reference/recipes/index.md"] = (
        "# Recipes\n\nThe shipped recipes, with the trainable parameters of their generators (G) and discriminators (D) for\n"
        "colour images of 64 pixels. `facegan recipes --cost` measures how fast each trains on your machine.\n\n"
        f"{table(head, rows)}\n\n{_toctree(recipe_names())}"
    )
    made["reference/gallery/index.md"] = (
        "# Gallery\n\nFaces that each recipe generates after fifteen minutes of training on two cores, on LFW (photographs of faces,\n"
        "64 × 64 pixels). Each grid shows the seeds 0 to 63, none picked. [results.md](../../results.md) has the commands\n"
        "and the scores, and [models.md](../../models.md) the images of the bundled generator.\n\n"
        + "\n\n".join(shown)
        + "\n"
    )


def _recipe(recipe: Recipe, about: Any) -> str:
    from facegan.shipped import Shipped

    parts = [f"# {recipe.name}", f"{escaped(recipe.title)}. Source: {escaped(recipe.source)}."]
    parts.append(
        f"```sh\nfacegan train {recipe.name} --data portraits --run runs/{recipe.name}\n```"
    )
    facts = [
        [
            "generator",
            f"`{recipe.generator.kind}`"
            + (f", {about.size.generator:,} parameters" if about.size else ""),
        ],
        [
            "discriminator",
            f"`{recipe.discriminator.kind}`"
            + (f", {about.size.discriminator:,} parameters" if about.size else ""),
        ],
        [
            "method",
            f"`{recipe.method.kind}`"
            + (f", loss `{loss}`" if (loss := getattr(recipe.method, "loss", "")) else ""),
        ],
        ["pixels", f"`{recipe.data.range}`"],
        ["batch", f"{recipe.training.batch}"],
        ["stages", f"{len(recipe.stages)}"],
        ["budget", f"{recipe.training.budget}"],
    ]
    if about.trouble:
        facts.append(["at 64 pixels", escaped(about.trouble)])
    parts.append(table(["", ""], facts))
    parts.append(
        "The cost depends on the machine. Measure yours with `facegan recipes --cost --only "
        f"{recipe.name}`. [performance.md](../../performance.md) has our figures."
    )
    if recipe.name in GRIDS:
        parts.append(
            f"![Faces by {recipe.name}, none picked](../../images/results/{GRIDS[recipe.name]})\n\n"
            "On LFW at 64 pixels, after fifteen minutes on two cores. [results.md](../../results.md) has the command."
        )
    own = inspect.getsourcefile(Shipped)
    assert own is not None
    short = (Path(own).parent / "recipe/shipped" / f"{recipe.name}.toml").read_text("utf-8")
    parts.append(
        f"## Settings\n\nThose that differ from the defaults:\n\n```toml\n{short.strip()}\n```"
    )
    parts.append(f"All of them:\n\n```toml\n{recipe.to_toml().strip()}\n```")
    return "\n\n".join(parts) + "\n"


# --- kinds --------------------------------------------------------------------------------
def registries() -> dict[str, tuple[str, str, Mapping[str, Any]]]:
    """Title and introduction of each list of kinds, by its page."""
    from facegan.augment.transform import TRANSFORMS
    from facegan.data.recognise import READERS
    from facegan.evaluation.extractors import EXTRACTORS
    from facegan.losses.adversarial import ADVERSARIAL
    from facegan.losses.penalties import PENALTIES
    from facegan.methods.method import METHODS
    from facegan.methods.regulariser import REGULARISERS
    from facegan.networks import DISCRIMINATORS, GENERATORS

    return {
        "generators": ("Generators", "`generator.kind` of a recipe.", GENERATORS),
        "discriminators": ("Discriminators", "`discriminator.kind` of a recipe.", DISCRIMINATORS),
        "methods": ("Methods", "`method.kind` of a recipe.", METHODS),
        "losses": ("Losses", "`method.loss` of a recipe.", ADVERSARIAL),
        "penalties": ("Penalties", "`method.penalty.kind` of a recipe.", PENALTIES),
        "regularisers": ("Regularisers", "Entries of `method.regularisers`.", REGULARISERS),
        "augmentations": (
            "Augmentations of your own",
            "Entries of `augment.own`. Those that come with facegan are settings of `augment` itself.",
            TRANSFORMS,
        ),
        "extractors": (
            "Feature spaces",
            "`--extractor` of `facegan evaluate`, and `extractors` in Python.",
            EXTRACTORS,
        ),
        "readers": (
            "Layouts of datasets",
            "What `facegan data import` recognises by itself.",
            READERS,
        ),
    }


def _kinds(made: Pages) -> None:
    for page, (title, where, kinds) in registries().items():
        parts = [f"# {title}", where]
        if not kinds:
            parts.append(
                "None yet. [architecture.md](../architecture.md#adding-one) explains how to add one."
            )
        known = _extractors() if page == "extractors" else {}
        for name, thing in kinds.items():
            parts.append(f"## {name}\n\n{known.get(name) or _kind(thing)}")
        made[f"reference/{page}.md"] = "\n\n".join(parts) + "\n"
    made["reference/metrics.md"] = _metrics()


def _kind(thing: Any) -> str:
    text = _described(thing)
    fields = getattr(thing, "model_fields", None)
    if not fields:
        return text
    body = text.partition("**Attributes**")[0].strip()
    said = _attributes(thing)
    rows = []
    for name, field in fields.items():
        if name == "kind":
            continue
        default = "required" if field.is_required() else f"`{_default(field)}`"
        rows.append([f"`{name}`", default.replace("|", "\\|"), escaped(said.get(name, ""))])
    return body + ("\n\n" + table(["setting", "default", "meaning"], rows) if rows else "")


def _described(thing: Any) -> str:
    """What a kind says of itself."""
    if isinstance(thing, tuple):  # a pair of functions, as losses are
        sides = [(name, value) for name, value in thing._asdict().items() if callable(value)]
        return table(["", ""], [[name, first_line(value)] for name, value in sides])
    if thing.__doc__:
        return markdown(thing.__doc__)
    module = inspect.getmodule(thing)
    return escaped(inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0]) if module else ""


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if hasattr(value, "model_dump"):
        return (
            " ".join(f"{k}={v}" for k, v in value.model_dump().items() if k != "kind") or value.kind
        )
    return str(value)


def _attributes(thing: Any) -> dict[str, str]:
    """What a section's docstrings say of its settings, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(inspect.getmro(thing)):
        text = inspect.cleandoc(base.__doc__ or "")
        _, _, body = text.partition("Attributes:\n")
        name = ""
        for line in body.splitlines():
            if line.startswith("    ") and not line.startswith("     ") and ":" in line:
                name, _, rest = line.strip().partition(":")
                found[name] = rest.strip()
            elif line.startswith("     ") and name:
                found[name] += f" {line.strip()}"
            elif line.strip():
                break
    return found


def _extractors() -> dict[str, str]:
    """What `open_extractor` says of each name that it takes."""
    from facegan.evaluation.extractors import open_extractor

    text = inspect.cleandoc(open_extractor.__doc__ or "")
    entries = re.findall(r"- `(\w+)(?:@\w+)?`: (.*?)(?=\n\s*- `|\n\n)", text, re.DOTALL)
    found: dict[str, str] = {}
    for name, said in entries:
        before = f"{found[name]} " if name in found else ""
        found[name] = before + escaped(" ".join(said.split()).rstrip(";.")) + "."
    return found


def _metrics() -> str:
    from facegan.evaluation.results import SCORE_TITLES
    from facegan.evaluation.wording import arrow
    from facegan.report.measures import _EXPLAINED

    rows = [
        [f"`{name}`", f"{escaped(title)} {arrow(name)}", escaped(_EXPLAINED.get(name, ""))]
        for name, title in SCORE_TITLES.items()
    ]
    return (
        "# Metrics\n\nWhat `facegan evaluate` measures in each feature space. The arrow shows which direction is better.\n"
        f"[metrics.md](../metrics.md) explains how they are computed, and what they can and cannot detect.\n\n{table(['name', 'title', 'what it is'], rows)}\n"
    )


# --- names --------------------------------------------------------------------------------
def _names(made: Pages) -> None:
    rows = []
    names = [name for name in dir(facegan) if name != "__version__"]
    for name in names:
        thing = getattr(facegan, name)
        plain = thing if inspect.isclass(thing) else inspect.unwrap(thing)
        rows.append([f"[`{name}`]({name}.md)", first_line(plain)])
        made[f"reference/python/{name}.md"] = _name(name, plain)
    made["reference/python/index.md"] = (
        "# Python\n\n`import facegan` has every command of the command line as a function, and the types that they accept and\n"
        "return. Results have `to_dict()`, `rows()` and `to_frame()` (with pandas), and display themselves in a notebook.\n\n"
        f"{table(['name', 'what it is'], rows)}\n\n{_toctree(names)}"
    )


def _name(name: str, thing: Any) -> str:
    if not inspect.isclass(thing):
        return f"# {name}\n\n```python\nfacegan.{signature(name, thing)}\n```\n\n{markdown(thing.__doc__)}\n"
    parts = [
        f"# {name}",
        f"```python\nfacegan.{signature(name, thing)}\n```",
        markdown(thing.__doc__),
    ]
    for own, member in vars(thing).items():
        if own.startswith("_") or own == "model_config":
            continue
        if isinstance(member, property):
            parts.append(f"## {own}\n\n{markdown(member.__doc__)}")
        elif inspect.isfunction(member) or isinstance(member, classmethod | staticmethod):
            function = member if inspect.isfunction(member) else member.__func__
            parts.append(
                f"## {own}\n\n```python\n{signature(own, function)}\n```\n\n{markdown(function.__doc__)}"
            )
    return "\n\n".join(parts) + "\n"


def _index(made: Pages) -> str:
    single = [*registries(), "metrics"]
    entries = ["commands/index", "python/index", "recipes/index", *single]
    return (
        "# Reference\n\nThese pages are generated from the code: commands, Python, recipes, and every kind that a recipe can name.\n\n"
        + _toctree(entries, hidden=False)
    )


def _toctree(entries: Any, hidden: bool = True) -> str:
    options = ":hidden:\n" if hidden else ":maxdepth: 1\n"
    return "```{toctree}\n" + options + "\n" + "\n".join(entries) + "\n```\n"
