"""The formats a report is written in, by name and by the ending of a file; each is loaded when it is asked for."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from alexnet_tui.json_io import json_text
from alexnet_tui.report.content import Report

Directory = Callable[[str], Path]


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


def render(report: Report, form: Format, directory: Directory | None = None) -> str:
    """The whole report in a format.

    Args:
        report: The report.
        form: The format.
        directory: Where a run is, by its id; with it HTML has pictures of what the networks learned.
    """
    match form:
        case Format.MARKDOWN:
            from alexnet_tui.report.markdown import to_markdown

            return to_markdown(report)
        case Format.LATEX:
            from alexnet_tui.report.latex import to_latex

            return to_latex(report)
        case Format.JSON:
            return json_text(report)
        case Format.HTML:
            from alexnet_tui.report.html import pictures_of, to_html

            return to_html(report, list(pictures_of(report, directory)) if directory else ())
