import re
from pathlib import Path

from activities.directory import Directory
from server import principals

ROOT = Path(__file__).parent.parent
NO_PROGRAMS = {"tests", "benchmarks", ".venv", ".venv-gen", "build"}


def test_every_setting_that_is_read_stands_in_the_manual() -> None:
    sources = (path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in NO_PROGRAMS)
    read = {name for path in sources for name in re.findall(r"CASETRAIL(?:_[A-Z]+)+\b", path.read_text())}
    page = (ROOT / "docs" / "operations.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    assert {name for name in read if f"`{name}`" not in page} == set()


def shown(name: str, folder: Path) -> Path:
    """The file of a name, as the manual shows it."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (block,) = [yaml for yaml in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if yaml.startswith(f"# {name}")]
    (folder / name).write_text(block)
    return folder / name


def test_the_principals_file_of_the_manual_can_be_used(tmp_path: Path) -> None:
    assert [who.name for who in principals.load(shown("principals.yaml", tmp_path))] == ["shop-backend"]


def test_the_staff_file_of_the_manual_can_be_used(tmp_path: Path) -> None:
    assert [who.name for who in Directory(shown("staff.yaml", tmp_path)).people()] == ["amy", "chloe"]
