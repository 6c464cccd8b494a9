"""Several models, or several runs of one recipe: comparison, noise floor, learning curve."""
