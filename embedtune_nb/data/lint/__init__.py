"""The linter: what is wrong with data, what it costs, and what mends it. Nothing is changed in place."""
