"""Templates of the report's formats: every value in them is escaped for its format, unless it is marked as safe.

Jinja2 is loaded with this module, and so by the formats alone that have a template.
"""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, escape: Callable[[str], str], **values: object) -> str:
    """Fill in a template of `alexnet_tui/report/templates`.

    Args:
        template: Its file name.
        escape: What makes a foreign text harmless in its format.
        values: What it names.
    """

    def finalize(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    environment = Environment(
        loader=PackageLoader("alexnet_tui.report"),
        autoescape=True,  # What `finalize` has escaped is left alone; what it never sees is escaped all the same.
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
