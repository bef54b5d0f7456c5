"""Pages about runs: what is read, what is drawn, and the templates that show it."""

from facegan.callables import callable_as

callable_as(__name__, "facegan.report.pages:report")
