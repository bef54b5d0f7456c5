"""Packages that are also the verb of their name: `facegan.report("runs/a")`.

Python binds a package's name in the one above it as soon as it is imported, so a function of
that name would be hidden by it. A package that can be called is both.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    _verb: str

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function, found when it is needed: its module may be heavy."""
        module, _, name = self._verb.partition(":")
        return getattr(importlib.import_module(module), name)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what the function of this name does."""
        return self.__wrapped__(*arguments, **options)


def callable_as(package: str, verb: str) -> None:
    """Let a package be called.

    Args:
        package: its `__name__`.
        verb: the function that a call is for, as `module:name`.
    """
    module = sys.modules[package]
    module.__class__ = _CallablePackage
    module._verb = verb  # type: ignore[attr-defined]
