"""Training data under governance: where each example comes from, what may be done with it, and how far it is from gold.

Nothing here asks people or trains; doors and `release` do. Rooms below: `authored` (terms, licences, prompts), `models`.
"""
