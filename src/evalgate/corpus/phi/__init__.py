"""What in a text may identify a person: typed findings with places and reasons, never the text itself.

`scan` looks with the built-in detectors; `scanner_of(project)` adds the patterns, excuses and Presidio of phi.toml. What a scanner
is worth is measured by `prove`: its "clean" counts where its recall of planted canaries is above the bar of every type.
"""

from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.scanner import Scanner, scan, scan_example, scan_rows

__all__ = ["Finding", "Scanner", "scan", "scan_example", "scan_rows"]
