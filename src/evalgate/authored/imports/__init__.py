"""Importers: annotations that people already have, as gold sets. One module per format; each row is taken or reported.

report = import_gold("brat", Path("reports"), Path("goldsets/entities.jsonl"), options)
"""

from evalgate.authored.imports.account import Report
from evalgate.authored.imports.importing import import_gold
from evalgate.authored.imports.rows import Columns, Options

__all__ = ["Columns", "Options", "Report", "import_gold"]
