"""Named collections of texts with labels or scores, embedded with one model and searchable."""
