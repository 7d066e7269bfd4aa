"""A contract of our own for import-linter: an allow-list."""

from typing import Any, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Import = tuple[str, str, int]  # importer, imported, line


class AllowListContract(Contract):
    """From `package`, modules in `importer` import those in `allowed`, and nothing else.

    A module on the list brings its submodules along.  Anything that is not on the list is forbidden, so a new
    module is too.
    """

    type_name = "allow_list"

    importer = fields.StringField()
    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        importer, package = str(self.importer), str(self.package)
        allowed = cast("set[str]", self.allowed)
        for name in (importer, package, *allowed):
            if name not in graph.modules:
                raise ValueError(f"Module '{name}' does not exist.")
        refused: list[Import] = []
        for module in _tree(graph, importer):
            for imported in graph.find_modules_directly_imported_by(module):
                if _is_in(imported, package) and not any(_is_in(imported, name) for name in allowed):
                    details = graph.get_import_details(importer=module, imported=imported)
                    refused += [(module, imported, detail["line_number"]) for detail in details]
        return ContractCheck(kept=not refused, metadata={"refused": sorted(refused)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        refused: Any = check.metadata["refused"]
        for importer, imported, line in refused:
            output.print_error(f"{importer} is not allowed to import {imported} (l.{line})", bold=False)
        output.new_line()


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _tree(graph: ImportGraph, package: str) -> list[str]:
    return sorted({package} | graph.find_descendants(package))
