"""The formats a report is written in, by name and by the ending of a file; each is loaded when it is asked for."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from alexnet_tui.report.build import Report
from alexnet_tui.text import json_text


class Format(StrEnum):
    """A format for other programs; a terminal's is not among them."""

    MARKDOWN = "markdown"
    HTML = "html"
    LATEX = "latex"
    JSON = "json"


ENDINGS: Mapping[str, Format] = MappingProxyType(
    {
        ".md": Format.MARKDOWN,
        ".html": Format.HTML,
        ".htm": Format.HTML,
        ".tex": Format.LATEX,
        ".json": Format.JSON,
    }
)


def render(report: Report, form: Format) -> str:
    """The whole report in a format."""
    return _RENDERERS[form](report)


def _markdown(report: Report) -> str:
    from alexnet_tui.report.markdown import to_markdown

    return to_markdown(report)


def _html(report: Report) -> str:
    from alexnet_tui.report.html import to_html

    return to_html(report)


def _latex(report: Report) -> str:
    from alexnet_tui.report.latex import to_latex

    return to_latex(report)


_RENDERERS: Mapping[Format, Callable[[Report], str]] = MappingProxyType(
    {Format.MARKDOWN: _markdown, Format.HTML: _html, Format.LATEX: _latex, Format.JSON: json_text}
)
