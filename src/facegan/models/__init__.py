"""Trained models: the file, its card, and the store that finds them by name."""

from facegan.callables import callable_as

callable_as(__name__, "facegan.apps.models:listed")
