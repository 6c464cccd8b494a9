"""What can be done to make a Datasource better: look for faults, mend them, find hard negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedtune_nb.latebound import late

if TYPE_CHECKING:
    import numpy as np

    from embedtune_nb.data.datasource import Datasource
    from embedtune_nb.data.lint.report import LintReport


class Improving:
    """The methods of a Datasource that lead to a better one. None of them changes it in place."""

    def lint(
        self,
        eval_datasource: Any = None,
        batch_size: int | None = None,
        base: Any = None,
        *,
        model: Any = None,
        vectors: np.ndarray | None = None,
    ) -> LintReport:
        """Look for what would spoil training or its evaluation. Loads no torch unless *model* is given.

        Parameters
        ----------
        eval_datasource
            Data that this one must not give away: exact, near and document leaks. Of the same kind, but
            pairs, triplets and retrieval data can be compared with one another.
        batch_size
            Rows of a batch, for the expected number of false negatives in it; 128 by default.
        base
            The base model (a name, a folder, a ``PretrainedEmbeddingModel``) whose limit decides which
            texts would be cut.
        model
            A model that embeds the texts, so that labels can be compared with those of neighbours.
        vectors
            Instead of *model*: one vector a row of labeled or scored data, shape (rows, dimension).

        Returns
        -------
        LintReport
            Findings, the gravest first, each with count, examples, cost and fix; and what was not looked
            at, and why.
        """
        from embedtune_nb.data.lint.linter import lint

        return lint(self, eval_datasource, batch_size, base, model=model, vectors=vectors)  # type: ignore[arg-type]

    def fix(
        self,
        *names: str,
        eval_datasource: Any = None,
        how: str | None = None,
        model: Any = None,
        vectors: np.ndarray | None = None,
    ) -> Datasource:
        """Return a new Datasource in which the named faults are mended; ``dropped`` and ``notes`` tell how.

        Parameters
        ----------
        names
            Names of findings of :meth:`lint`, mended in this order: ``"exact_duplicates"``,
            ``"near_duplicates"``, ``"exact_leaks"``, ``"near_leaks"``, ``"document_leaks"``,
            ``"conflicting_labels"``, ``"mixed_labels"``, ``"lonely_labels"``, ``"label_noise"``,
            ``"swapped_columns"``, ``"exchanged_columns"``, ``"backward_scores"``, ``"empty_texts"``,
            ``"huge_texts"``.
        eval_datasource
            The evaluation data, for leaks: rows leave this Datasource, never the evaluation data.
        how
            For conflicting labels: ``"majority"`` (default; scores: ``"mean"``) or ``"drop"``.
        model, vectors
            For label noise, as in :meth:`lint`.

        Raises
        ------
        DataError
            If there is no such fix, or nothing would be left.
        """
        from embedtune_nb.data.lint.fix import fix

        options = {"eval_datasource": eval_datasource, "how": how, "model": model, "vectors": vectors}
        return fix(self, *names, **options)  # type: ignore[arg-type]

    def mine_hard_negatives(
        self,
        strategy: str = "model",
        *,
        model: Any = None,
        per_row: int = 3,
        rank_range: tuple[int, int] = (1, 100),
        score_range: tuple[float, float] | None = None,
        absolute_margin: float | None = None,
        relative_margin: float | str | None = "auto",
        order: str = "source",
        pick: str = "hardest",
        seed: int = 0,
        progress: bool = True,
    ) -> Any:
        """Find texts that look like right answers and are none.

        Parameters
        ----------
        strategy
            ``"model"`` (nearest by embedding), ``"bm25"`` (most words in common, weighted),
            ``"partial_match"`` (part of what is asked), ``"same_group"`` (domain confusion: same group, or a
            neighbouring label), ``"contradiction"`` (nli data).
        model
            A model, a name or a folder. For ``"model"`` and ``"same_group"`` it ranks; the quickest one on
            this machine if None. For the others it only judges how near a candidate is to the positive.
        per_row
            Most negatives for a row.
        rank_range
            First and last rank that may serve, 1 the nearest; known positives are not counted.
        score_range
            Least and highest score that may serve, in the measure of the strategy. ``"partial_match"``: the
            share of the query's words, weighted by rarity, 0.3 to 0.8.
        absolute_margin, relative_margin
            A candidate is suspected of being right if it scores above ``positive - absolute_margin`` or
            ``positive * (1 - relative_margin)``. ``"auto"``: 0.05 where a model scores, else None, and None
            for labeled data, where another label says that a text is no positive.
        order
            ``"source"``, or ``"easy_to_hard"`` for a curriculum: rows by how near their hardest negative
            comes to the positive.
        pick
            ``"hardest"`` takes the nearest of those that may serve, ``"random"`` any of them.
        seed
            Of random picks, and of the positives of labeled rows.
        progress
            Show a bar.

        Returns
        -------
        MinedTriplets
            A Datasource of the kind ``triplets`` with a ``report``: kept, dropped and why, set aside. Never
            among the negatives: known positives, copies and near-copies of the anchor or of a positive.

        Raises
        ------
        DataError
            If the data or a setting cannot serve, or no row got a negative.
        """
        return late("mine_hard_negatives")(
            self,
            strategy,
            model=model,
            per_row=per_row,
            rank_range=rank_range,
            score_range=score_range,
            absolute_margin=absolute_margin,
            relative_margin=relative_margin,
            order=order,
            pick=pick,
            seed=seed,
            progress=progress,
        )
