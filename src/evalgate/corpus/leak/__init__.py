"""How far training data is from gold: shared words, shared lineage, and what a corpus repeats. docs/leakage.md has the rules."""
