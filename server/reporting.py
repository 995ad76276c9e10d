"""A report as it is answered."""

from hashlib import sha256
from typing import NamedTuple

from reports.document import Document


class Written(NamedTuple):
    """The bytes of a report, what they are, and their SHA-256, hex."""

    content: bytes
    media_type: str
    sha256: str


def written(report: Document, *, html: bool) -> Written:
    """A report as HTML or as Markdown."""
    content = (report.to_html() if html else report.to_markdown()).encode()
    return Written(content, f"text/{'html' if html else 'markdown'}; charset=utf-8", sha256(content).hexdigest())
