"""Labels of a generator as options of a command: --smiling 1 --age=60 --emotion happy."""

from __future__ import annotations

from typing import Any

import click

CONTROLS = "facegan.controls"


class Labelled(click.Command):
    """A command that takes options which it does not know, if they have a value.

    They stand in the context's `meta[CONTROLS]`, as pairs of the option's name without dashes
    and its value, in their order. Which of them are labels, only the generator knows.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take them out, then parse the rest."""
        known: dict[str, Any] = {
            name: parameter
            for parameter in self.get_params(ctx)
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        rest: list[str] = []
        controls: list[tuple[str, float | str]] = []
        waiting = list(args)
        while waiting:
            word = waiting.pop(0)
            if word == "--":
                rest += [word, *waiting]
                break
            option, equals, value = word.partition("=")
            if option in known or not option.startswith("--"):
                rest.append(word)
                # Its value may look like anything.
                if option in known and not equals and _takes_value(known[option]) and waiting:
                    rest.append(waiting.pop(0))
                continue
            said = value if equals else next(iter(waiting), "")
            number = as_number(said)
            if number is None and (not said or said.startswith("-")):
                rest.append(word)  # click says that there is no such option
                continue
            if not equals:
                waiting.pop(0)
            controls.append((option[2:], said if number is None else number))
        ctx.meta[CONTROLS] = controls
        return super().parse_args(ctx, rest)


def _takes_value(parameter: Any) -> bool:
    return isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.count)


def as_number(word: str) -> float | None:
    """The number that a word is; None if it is none."""
    try:
        return float(word)
    except ValueError:
        return None
