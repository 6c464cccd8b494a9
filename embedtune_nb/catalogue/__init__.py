"""The base models that can be tuned: what is known of each, and where its files are. Loads no torch."""

from __future__ import annotations

from embedtune_nb.catalogue.base_models import CATALOGUE, BaseSpec
from embedtune_nb.catalogue.files import ensure_available, is_here, local_folder, tokenizer_file
from embedtune_nb.catalogue.prompts import Prompts, instructed, prompts_of
from embedtune_nb.catalogue.resolve import resolve_base

__all__ = [
    "CATALOGUE",
    "BaseSpec",
    "Prompts",
    "ensure_available",
    "instructed",
    "is_here",
    "local_folder",
    "prompts_of",
    "resolve_base",
    "tokenizer_file",
]
