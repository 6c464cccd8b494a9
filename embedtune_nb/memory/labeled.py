"""Texts with classes."""

from __future__ import annotations

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED
from embedtune_nb.memory.memoryset import Memoryset
from embedtune_nb.models.embedding_model import EmbeddingModel


class LabeledMemoryset(Memoryset):
    """A named collection of texts with labels. ``finetune`` takes it as it is: the task is classification.

    Examples
    --------
    >>> memoryset = LabeledMemoryset.from_pandas("intents", df, value_column="text", label_column="intent")
    >>> memoryset.search("my card was swallowed", count=3)
    """

    kind = LABELED
    _title = "LabeledMemoryset"
    _target = "label"

    @classmethod
    def from_pandas(
        cls,
        name: str,
        df: pd.DataFrame,
        *,
        value_column: str = "value",
        label_column: str = "label",
        embedding_model: EmbeddingModel | None = None,
        instruction: str | None = None,
        if_exists: str = "error",
    ) -> LabeledMemoryset:
        """Embed the texts of a DataFrame in this process and keep them under *name*.

        Parameters
        ----------
        name
            Unique among memorysets, regardless of case; letters, digits, dots, dashes, underscores.
        df
            One memory a row. Rows without a text or label, and copies, are left out; ``notes`` counts them.
        value_column, label_column
            Where texts and labels are. Where no column has the default name it is told from the usual
            names and the content.
        embedding_model
            Embeds texts and queries. None: ``PretrainedEmbeddingModel.MINILM_L6``.
        instruction
            The task in words, put before every text and query if the model was trained to read one, and
            taken over by ``finetune``.
        if_exists
            ``"error"``, or ``"open"``: return the memoryset of that name if it has the same model; other
            texts or another instruction are told with a warning.

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
            label_column=label_column,
            embedding_model=embedding_model,
            instruction=instruction,
            if_exists=if_exists,
        )

    @property
    def label_names(self) -> list[str] | list[int]:
        """The distinct labels in order."""
        return self._record.data.labels

    def _facts_of_kind(self) -> dict[str, str]:
        return {"label_names": repr(self.label_names)}
