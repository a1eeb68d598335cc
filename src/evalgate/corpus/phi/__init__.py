"""What in a text may identify a person: typed findings with places and reasons, never the text itself.

`scan` looks with the built-in detectors. What a scanner is worth is measured by `proof.prove`: its "clean" counts where its recall
of planted canaries is above the bar of every type.
"""

from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.people import People
from evalgate.corpus.phi.scanner import Scanner, scan, scan_example, scan_rows

__all__ = ["Finding", "People", "Scanner", "scan", "scan_example", "scan_rows"]
