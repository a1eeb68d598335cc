"""Runs on disk: a directory per run, keyed by the digest of everything that can change an answer."""

from evalgate.store.run import Manifest, Row, Run, RunWriter, last_sum, read_manifest, run_directory
from evalgate.store.shelf import KeptRun, kept_runs, open_run, repeats

__all__ = [
    "KeptRun",
    "Manifest",
    "Row",
    "Run",
    "RunWriter",
    "kept_runs",
    "last_sum",
    "open_run",
    "read_manifest",
    "repeats",
    "run_directory",
]
