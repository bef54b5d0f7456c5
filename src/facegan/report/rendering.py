"""From a template to a page."""

from __future__ import annotations

import base64
import hashlib
from typing import Any


def render(template: str, **values: Any) -> str:
    """Fill a template of this package; every value is escaped that is not `Markup`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("facegan.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = environment.get_template("page.js").render()
    # The page's own script may run, and nothing that any text in the page smuggled in.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **values, script=Markup(script), script_sha256=digest
    )
