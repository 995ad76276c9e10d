"""Event logs for the tests, and what they mean."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from casetrail.play.log_file import EventLog, read_log
from casetrail.play.mapping_file import load_mapping
from casetrail.play.plan import CasePlan, Planner, Style, columns_of
from casetrail.v1.mapping_pb2 import Mapping

ROOT = Path(__file__).resolve().parents[2]
SERVICENOW = ROOT / "examples/servicenow.yaml"
SAMPLE = ROOT / "examples/servicenow_sample.csv"

# Another trade, another delimiter, another encoding, ISO times with zones.
WORKSHOP = """\
title: Werkstatt
csv: { delimiter: ";", encoding: cp1252 }
columns: { case: Auftrag, activity: Vorgang, time: Zeitpunkt, actor: Mechaniker }
time: { format: iso, zone: Europe/Berlin }
open: { kind: inquiry, channel: web, customer: "{Halter}", subject: "{Fahrzeug}: {Vorgang}" }
changes:
  - { column: Mechaniker, before: missing, do: [{ assign: { to: "{Mechaniker}" } }] }
activities:
  - enter: [Rückfrage]
    do:
      - reply: { words: { text: "{Halter}, eine Frage zu {Fahrzeug|slug}" } }
      - wait: { cause: customer }
  - { enter: [Weiter], after: [Rückfrage], do: [{ resume: {} }] }
  - enter: [Fertig]
    do: [{ resolve: { solution: "{Vorgang}" } }]
    live: [{ resolve: {} }, { confirm: { satisfied: true } }]
  - { enter: [Abgeholt], do: [{ close: {} }] }
  - { enter: [Reklamation], after: [Fertig, Abgeholt], do: [{ reopen: { why: "{Vorgang}" } }] }
"""
WORKSHOP_HEADER = ("Auftrag", "Vorgang", "Zeitpunkt", "Mechaniker", "Halter", "Fahrzeug")


def workshop(
    tmp_path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = WORKSHOP_HEADER
) -> tuple[Path, Path]:
    """Write a workshop's log and its mapping; gives the paths of both."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([header, *rows])
    file, mapping = tmp_path / "werkstatt.csv", tmp_path / "werkstatt.yaml"
    file.write_bytes(text.getvalue().encode("cp1252"))
    mapping.write_text(WORKSHOP, encoding="utf-8")
    return file, mapping


def read(file: Path, mapping_file: Path) -> tuple[Mapping, EventLog]:
    mapping = load_mapping(mapping_file)
    return mapping, read_log(file, mapping, columns_of(mapping))


def plans(file: Path, mapping_file: Path, style: Style = Style()) -> list[CasePlan]:
    mapping, log = read(file, mapping_file)
    planner = Planner(mapping, style)
    return [planner.plan(case) for case in log.cases]
