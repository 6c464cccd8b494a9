"""From a base model and data to trained weights: losses, batches, trainer."""
