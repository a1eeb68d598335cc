"""Judges against people: six public sources of human labels, a seeded sample of each, and the table of what came out."""
