"""What the documents tell their readers to type, to call and to open is there."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from casetrail.cli import app
from tests.programs import CASETRAIL_DB, CASETRAIL_VERIFY, CASETRAIL_WITNESS, Program
from tests.server.running import serving

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
OTHERS = {"casetrail-db": CASETRAIL_DB, "casetrail-verify": CASETRAIL_VERIFY, "casetrail-witness": CASETRAIL_WITNESS}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Line(NamedTuple):
    """A command as a document shows it."""

    where: str
    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {' '.join((self.program, *self.words))}"


def lines() -> Iterator[Line]:
    """In blocks of commands, and between backticks."""
    for document in DOCUMENTS:
        text = document.read_text()
        blocks = [block.replace("\\\n", " ") for kind, block in BLOCK.findall(text) if kind in ("console", "sh")]
        shown = [line for block in blocks for line in block.splitlines()]
        for line in (*shown, *re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))):
            if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(casetrail(?:-\w+)?) (.+)", line):
                words = takewhile(lambda word: word not in ("|", ">", "&&", ";"), shlex.split(found[2], comments=True))
                yield Line(str(document.relative_to(ROOT)), found[1], tuple(words))


def called(words: tuple[str, ...]) -> Any:  # noqa: ANN401 - typer's own classes are private
    """The command of `casetrail` that is meant; a group where only that is named."""
    command: Any = typer.main.get_command(app)
    for number, word in enumerate(words):
        if word.startswith("-") or not hasattr(command, "list_commands"):
            break
        if word in command.list_commands(None):
            command = command.get_command(None, word)
        elif number == 0 or not command.params:
            pytest.fail(f"there is no {word!r}")
    return command


@cache
def helped(program: Program, *words: str) -> str:
    ran = program.run(*words, "--help", COLUMNS="200")
    assert ran.code == 0, ran.err
    return ran.out


@pytest.mark.parametrize("line", sorted(set(lines())), ids=str)
def test_every_command_of_a_document_is_one_and_has_its_options(line: Line) -> None:
    options = {word.partition("=")[0] for word in line.words if word.startswith("--")}
    if program := OTHERS.get(line.program):
        said = helped(program, *line.words[:1]) if program is CASETRAIL_DB else helped(program)
        assert [option for option in options if option not in said] == []
    else:
        known = {option for parameter in called(line.words).params for option in parameter.opts}
        assert options - known == set()


async def test_the_example_of_the_readme_runs_and_prints_what_happened(tmp_path: Path) -> None:
    (example,) = [block for kind, block in BLOCK.findall((ROOT / "README.md").read_text()) if kind == "python"]
    async with serving(tmp_path) as running:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", example),
            env={**os.environ, "CASETRAIL_ADDRESS": running.address, "CASETRAIL_TOKEN": "chloe-secret"},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    happened = [line.split()[1] for line in said.decode().splitlines()]
    assert process.returncode == 0
    assert {"case_opened", "replied"} <= set(happened)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_what_a_document_links_to_is_there(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", BLOCK.sub("", document.read_text()))
    targets = [(document.parent / path if path else document, anchor) for path, anchor in links]
    assert [str(path) for path, _ in targets if not path.exists()] == []
    assert [anchor for path, anchor in targets if anchor and anchor not in anchors(path)] == []


def anchors(document: Path) -> set[str]:
    """Of a document's headings, as they are made of their words."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_module_that_a_document_names_is_there() -> None:
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(?:[\w/-]+/)?([\w-]+\.(?:py|yaml|proto))`", document.read_text())
    }
    ours = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    there = {path.name for place in ours for path in (place, *place.rglob("*.*"))}
    made_by_users = {"principals.yaml", "staff.yaml", "other.yaml"}
    assert named - there - made_by_users == set()
