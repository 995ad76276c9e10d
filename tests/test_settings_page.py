import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_PROGRAMS = {"tests", "benchmarks", ".venv", ".venv-gen", "build"}


def test_every_setting_that_is_read_stands_in_the_manual() -> None:
    sources = (path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in NO_PROGRAMS)
    read = {name for path in sources for name in re.findall(r"CASETRAIL(?:_[A-Z]+)+\b", path.read_text())}
    page = (ROOT / "docs" / "operations.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    assert {name for name in read if f"`{name}`" not in page} == set()
