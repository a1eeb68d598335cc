"""Runs on disk: a directory per run, keyed by the digest of everything that can change an answer."""

from evalgate.store.run import Manifest, Row, Run, RunWriter, read_manifest, run_directory

__all__ = ["Manifest", "Row", "Run", "RunWriter", "read_manifest", "run_directory"]
