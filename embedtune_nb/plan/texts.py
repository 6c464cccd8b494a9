"""How long the training texts are, and at how many tokens to cut them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from embedtune_nb.catalogue import BaseSpec, Prompts, tokenizer_file
from embedtune_nb.data.lengths import LengthProfile, profile_lengths
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.plan import Setting, SettingSource
from embedtune_nb.plan.rows import TrainingRows

# What an encoder without any declared limit is given: the length most were trained at.
_UNDECLARED_LIMIT = 512
# The least length worth training at: two special tokens and a little text.
_LEAST_LENGTH = 4
# From here on attention takes a share of the work that one notices.
_LENGTH_WORTH_A_WORD = 128


@dataclass(frozen=True)
class TrainingTexts:
    """The texts the loss will read.

    Attributes
    ----------
    rows
        Training rows of all objectives; a row of a pair holds two texts.
    texts_per_row
        1 for labels and scores, 2 for pairs, more with hard negatives: the mean, if rows differ.
    characters
        Characters of all texts together.
    profile
        Their lengths in tokens.
    """

    rows: int
    texts_per_row: float
    characters: int
    profile: LengthProfile

    def mean_tokens(self, max_length: int | None) -> float:
        """Return the mean tokens of a text cut at *max_length*."""
        lengths = self.profile.lengths
        return float((lengths if max_length is None else lengths.clip(max=max_length)).mean())


def read_training_texts(base: BaseSpec, tables: Sequence[TrainingRows], prompts: Prompts) -> TrainingTexts:
    """Count the tokens of all training rows, *prompts* included, with the tokenizer of *base*."""
    read = {
        f"{column} ({place})": [prompts.before(rows.roles[column]) + text for text in texts if text]
        for place, rows in enumerate(tables)
        for column, texts in rows.texts.items()
    }
    read = {column: texts for column, texts in read.items() if texts}
    count = sum(map(len, tables))
    return TrainingTexts(
        rows=count,
        texts_per_row=sum(map(len, read.values())) / max(count, 1),
        characters=sum(len(text) for texts in read.values() for text in texts),
        profile=profile_lengths(read, tokenizer_file(base)),
    )


def choose_length(choices: Choices, base: BaseSpec, profile: LengthProfile) -> float | None:
    """Settle ``max_seq_length`` and ``truncation_side``; return the share of texts that get cut.

    A percentile becomes the number of tokens that so many training texts fit into, never more than
    the model reads. Static models cut nothing.

    Raises
    ------
    PlanError
        If a length is given for a static model.
    """
    choices.take("truncation_side")
    if base.architecture == "static":
        if "max_seq_length" in choices.given:
            raise PlanError(
                f"max_seq_length has no effect on {base.id}: it averages the vectors of all tokens.",
                fix="leave max_seq_length out.",
            )
        choices.overrule("max_seq_length", None, "no limit: the model averages the vectors of all tokens")
        return 0.0
    choices.take("max_seq_length")
    wanted = choices["max_seq_length"]
    limit = base.max_length or _UNDECLARED_LIMIT
    length = profile.percentiles[wanted] if isinstance(wanted, str) else wanted
    if length > limit:
        asked = f"{wanted} would be {length}" if isinstance(wanted, str) else f"you asked for {wanted}"
        what = f"all that {base.id} reads" if base.max_length else "taken, as the model declares no limit"
        choices.overrule("max_seq_length", limit, f"{limit} tokens are {what}; {asked}")
    elif isinstance(wanted, str):
        source: SettingSource = "user" if "max_seq_length" in choices.given else "inferred"
        reason = f"{wanted} {_percentile_reason(wanted, profile)}"
        choices.settings["max_seq_length"] = Setting(max(length, _LEAST_LENGTH), source, reason)
    _explain_cost(choices, base)
    if choices["max_seq_length"] < limit:
        setting = choices.settings["max_seq_length"]
        reason = f"{setting.reason}; limits training only: {_own_limit(base)}"
        choices.settings["max_seq_length"] = replace(setting, reason=reason)
    return profile.truncated_share(choices["max_seq_length"])


def _explain_cost(choices: Choices, base: BaseSpec) -> None:
    """Say beside a length what twice of it would cost: attention grows with the square.

    A layer of width d costs 24 d^2 operations a token, and attention 4 d more for each token it looks at.
    """
    length, width = choices["max_seq_length"], base.dimension
    if width is None or length < _LENGTH_WORTH_A_WORD:
        return
    share = length / (6 * width + length)
    factor = 2 * (6 * width + 2 * length) / (6 * width + length)
    setting = choices.settings["max_seq_length"]
    reason = (
        f"{setting.reason}; a text of this length spends {share:.0%} on attention, which grows with the "
        f"square: one of twice the length costs {factor:.1f} times as much"
    )
    choices.settings["max_seq_length"] = replace(setting, reason=reason)


def _own_limit(base: BaseSpec) -> str:
    own = f"its own limit of {base.max_length:,} tokens" if base.max_length else "its own limit"
    return f"for evaluations and when published the model keeps {own}"


def _percentile_reason(mark: str, profile: LengthProfile) -> str:
    share = "all" if mark == "max" else f"{mark[1:]} %"
    counted = f" (a sample of {len(profile.lengths):,})" if profile.sampled else ""
    estimated = "; estimated, the model has no tokenizer.json" if profile.estimated else ""
    longest = profile.percentiles["max"]
    return f"covers {share} of the training texts{counted}, the longest has {longest:,} tokens{estimated}"
