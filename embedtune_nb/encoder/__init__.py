"""From texts to vectors: loading a model, laying out its rows, choosing precision and threads."""
