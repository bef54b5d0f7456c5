"""Several methods, equal budgets, several seeds: what holds, and how surely."""

from facegan.callables import callable_as

callable_as(__name__, "facegan.study.run:study")
