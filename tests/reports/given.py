"""An incident as a log held it, and the reports made from it: `python -m tests.reports.given` writes them anew."""

import sys
from pathlib import Path
from typing import Final

from google.protobuf.json_format import Parse

from casetrail.v1.event_pb2 import Event
from reports.incident import incident_report

HERE: Final = Path(__file__).parent
LOCALES: Final = ("en", "zh-CN")


def events() -> list[Event]:
    return [Parse(line, Event()) for line in (HERE / "incident.jsonl").read_text().splitlines()]


def reports() -> dict[str, str]:
    """The texts of all forms of the report, by the file that holds each."""
    made = {locale: incident_report(events(), locale) for locale in LOCALES}
    return {
        **{f"incident.{locale}.md": report.to_markdown() for locale, report in made.items()},
        **{f"incident.{locale}.html": report.to_html() for locale, report in made.items()},
    }


if __name__ == "__main__":
    for name, text in reports().items():
        (HERE / name).write_text(text)
        sys.stdout.write(f"{name}: {len(text)} characters\n")
