"""A kind of import contract that import-linter lacks: an allow-list, for `.importlinter`."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyListed(Contract):
    """A package imports, besides the standard library and itself, only what is listed and what is below that.

    Only its own imports count, not what those import in turn. A third party is known by its first name, so
    `google.protobuf` allows all of `google`.
    """

    type_name = "only_listed"
    package: ClassVar[Any] = fields.StringField()
    allowed: ClassVar[Any] = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - import-linter's signature
        """Collect every import that is not on the list."""
        del verbose
        package: str = self.package
        allowed: set[str] = {package} | self.allowed
        third_parties = {name.partition(".")[0] for name in allowed} - set(self.session_options["root_packages"])
        found = [
            f"{module} imports {imported}"
            for module in sorted({package} | graph.find_descendants(package))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] not in sys.stdlib_module_names | third_parties
            and not any(f"{imported}.".startswith(f"{name}.") for name in allowed)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say which module imports what."""
        for line in check.metadata["found"]:
            output.print_error(line)
