"""Hard negatives: texts that look like right answers and are none, and doubtful ones set aside."""
