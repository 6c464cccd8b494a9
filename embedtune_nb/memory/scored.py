"""Texts with numbers."""

from __future__ import annotations

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import SCORED
from embedtune_nb.memory.memoryset import Memoryset
from embedtune_nb.models.embedding_model import EmbeddingModel


class ScoredMemoryset(Memoryset):
    """A named collection of texts with scores. ``finetune`` takes it as it is: the task is regression.

    Examples
    --------
    >>> memoryset = ScoredMemoryset.from_pandas("reviews", df, value_column="text", score_column="stars")
    >>> memoryset.search("arrived late and broken", count=3)
    """

    kind = SCORED
    _title = "ScoredMemoryset"
    _target = "score"

    @classmethod
    def from_pandas(
        cls,
        name: str,
        df: pd.DataFrame,
        *,
        value_column: str = "value",
        score_column: str = "score",
        embedding_model: EmbeddingModel | None = None,
        instruction: str | None = None,
        if_exists: str = "error",
    ) -> ScoredMemoryset:
        """Embed the texts of a DataFrame in this process and keep them under *name*.

        Parameters
        ----------
        score_column
            Where the numbers are; they are kept as they are.
        name, df, value_column, embedding_model, instruction, if_exists
            As for :meth:`LabeledMemoryset.from_pandas`.

        Raises
        ------
        EmbedtuneError
            If the name is taken or refused, the data cannot be used, or the model cannot be had.
        """
        return cls._from(
            name,
            Datasource.from_pandas,
            df,
            value_column=value_column,
            score_column=score_column,
            embedding_model=embedding_model,
            instruction=instruction,
            if_exists=if_exists,
        )

    @property
    def score_range(self) -> tuple[float, float]:
        """The lowest and the highest score."""
        scores = self._record.data.frames["examples"]["score"]
        return float(scores.min()), float(scores.max())

    def _facts_of_kind(self) -> dict[str, str]:
        low, high = self.score_range
        return {"score_range": f"[{low:g}, {high:g}]"}
