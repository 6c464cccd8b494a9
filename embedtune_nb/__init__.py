"""Fine-tune text-embedding models in a notebook."""
