"""evalgate."""
