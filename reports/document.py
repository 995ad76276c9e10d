"""A report as it is built up, and how it is written: as Markdown, and as one HTML page that needs nothing else.

Whatever a person wrote is shown as text: it never becomes markup of either form.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text; its line breaks stay."""

    text: str

    def to_markdown(self) -> str:
        """Write it as Markdown."""
        return _BULLET.sub(r"\\", _INDENT.sub("", _markdown(self.text, line_break="  \n")))

    def to_html(self) -> str:
        """Write it as HTML."""
        return f"<p>{_html(self.text)}</p>"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a head; a head of empty texts is not shown."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """Write it as Markdown."""
        lines = [self.head, ["---"] * len(self.head), *([_cell(text) for text in row] for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_html(self) -> str:
        """Write it as HTML."""
        rows = "\n".join(_row(row, "td") for row in self.rows)
        if not any(self.head):
            return f'<table class="pairs"><tbody>\n{rows}\n</tbody></table>'
        return f"<table>\n<thead>{_row(self.head, 'th')}</thead><tbody>\n{rows}\n</tbody></table>"


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing.

    Attributes:
        svg: Its SVG, whose texts are escaped already.
        says: What it shows, for whoever cannot see it.
    """

    svg: str
    says: str

    def to_markdown(self) -> str:
        """Write it as Markdown."""
        return f"![{_markdown(self.says)}](data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()})"

    def to_html(self) -> str:
        """Write it as HTML."""
        return f"<figure>{self.svg}<figcaption>{_html(self.says)}</figcaption></figure>"


Block = Paragraph | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Attributes:
        locale: Its language, BCP 47.
        title: What it is.
        sections: Its parts.
        warning: What must not be overlooked, such as that it tells of a drill; empty for nothing.
        footer: From what it was made.
    """

    locale: str
    title: str
    sections: Sequence[Section]
    warning: str = ""
    footer: Sequence[str] = field(default_factory=tuple)

    def to_markdown(self) -> str:
        """The report as Markdown."""
        parts = [f"# {_markdown(self.title)}"]
        if self.warning:
            parts.append(f"> **{_markdown(self.warning)}**")
        for section in self.sections:
            parts += [f"## {_markdown(section.title)}", *(block.to_markdown() for block in section.blocks)]
        if self.footer:
            parts += ["---", "  \n".join(_markdown(line) for line in self.footer)]
        return "\n\n".join(parts) + "\n"

    def to_html(self) -> str:
        """The report as one page of HTML, with its styles and pictures inside."""
        return "\n".join([*self._beginning(), *self._body(), "</body>", "</html>", ""])

    def _beginning(self) -> Iterable[str]:
        yield "<!doctype html>"
        yield f'<html lang="{escape(self.locale)}">'
        yield "<head>"
        yield '<meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{escape(plain(self.title))}</title>"
        yield f"<style>{_STYLE}</style>"
        yield "</head>"
        yield "<body>"

    def _body(self) -> Iterable[str]:
        yield f"<h1>{_html(self.title)}</h1>"
        if self.warning:
            yield f'<p class="warning">{_html(self.warning)}</p>'
        for section in self.sections:
            yield f"<h2>{_html(section.title)}</h2>"
            yield from (block.to_html() for block in section.blocks)
        if self.footer:
            yield f"<footer>{'<br>'.join(_html(line) for line in self.footer)}</footer>"


_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d5dae1 }
table { border-collapse: collapse; width: 100%; font-size: .92em; margin-bottom: 1.4rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #e4e8ee }
th { color: #5a6676; font-weight: 600 } td:first-child { white-space: nowrap }
.pairs td:first-child { width: 11rem; color: #5a6676 }
figure { margin: 1rem 0 } figcaption { color: #5a6676; font-size: .85em } svg { max-width: 100%; height: auto }
.warning { background: #b3261e; color: #fff; font-weight: 700; padding: .6rem 1rem }
footer { margin-top: 2.5rem; color: #5a6676; font-size: .8em; overflow-wrap: anywhere }
@media print { body { margin: 0; max-width: none } }
"""

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~]|&(?=#?\w+;))")
# What would make a line code, and an item of a list or the line above it a heading.
_INDENT: Final = re.compile(r"^ +", re.MULTILINE)
_BULLET: Final = re.compile(r"^(?=[-+=])", re.MULTILINE)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """A text without what would command a terminal, or show it other than it is."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n"))


def _markdown(text: str, *, line_break: str = " ") -> str:
    return _MARKUP.sub(r"\\\1", plain(text)).replace("\n", line_break)


def _cell(text: str) -> str:
    return _markdown(text, line_break="<br>")


def _html(text: str) -> str:
    return escape(plain(text)).replace("\n", "<br>")


def _row(texts: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_html(text)}</{tag}>' for text in texts)}</tr>"
