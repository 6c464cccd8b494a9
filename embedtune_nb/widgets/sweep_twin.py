"""A sweep as plain text, a picture and a table: what remains where no widget can be shown."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from embedtune_nb.errors import NotFoundError
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.sweep.snapshot import SweepSnapshot
from embedtune_nb.sweep.trial_folder import TrialRecord
from embedtune_nb.sweep.trials import Trials
from embedtune_nb.widgets.static_twin import clock, first_line, image_html, page
from embedtune_nb.widgets.static_twin import top_line as job_line
from embedtune_nb.widgets.summary import shown

ROWS_MAX = 20
_SIGNS = {"done": "✓", "running": "●", "pruned": "▽", "failed": "✗", "stopped": "■", "lost": "?"}


def top_line(snapshot: SweepSnapshot) -> str:
    """Return one line: state, trials, the best and the base, of a finished sweep its verdict."""
    line = job_line(snapshot.job)
    return line if snapshot.base_score is None else f"{line}, base {snapshot.base_score:.3f}"


def text_html(snapshot: SweepSnapshot) -> str:
    """Return top line, decision and the best trials; cheap enough to travel with every repr."""
    return page(snapshot.job, _decision_html(snapshot) + _table_html(snapshot))


def picture_html(trials: Trials) -> str:
    """Return the same with the history of the trials as a picture."""
    snapshot = trials.snapshot
    try:
        picture = image_html(trials.history(), f"Score of each trial of {snapshot.job.name}")
    except NotFoundError:  # it ended before its first trial
        picture = ""
    return page(snapshot.job, _decision_html(snapshot) + picture + _table_html(snapshot))


def _decision_html(snapshot: SweepSnapshot) -> str:
    decision = snapshot.decision
    return "" if decision is None else f"<p>{escape(str(decision['reason']))}</p>"


def _table_html(snapshot: SweepSnapshot) -> str:
    if not snapshot.trials:
        return ""
    ranks = snapshot.ranks
    searched = [dimension.name for dimension in snapshot.dimensions]
    titles = ["rank", "trial", "state", *searched, directed_name(snapshot.metric), "time"]
    ordered = sorted(
        snapshot.trials, key=lambda record: (ranks.get(record.key, len(ranks) + 1), record.index)
    )
    tied = {rank for rank in ranks.values() if list(ranks.values()).count(rank) > 1}
    lines = [_cells(record, ranks, tied, searched) for record in ordered[:ROWS_MAX]]
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    head = "".join(f'<th style="font-weight:normal">{escape(title)}</th>' for title in titles)
    more = len(ordered) - ROWS_MAX
    rest = f"<p>{more} more in job.trials.to_frame()</p>" if more > 0 else ""
    return f'<table style="color:inherit"><tr>{head}</tr>{body}</table>{rest}'


def _cells(record: TrialRecord, ranks: Mapping[str, int], tied: set[int], searched: list[str]) -> list[str]:
    rank = ranks.get(record.key)
    who = str(record.index) if record.confirms is None else f"{record.confirms}, seed {record.seed}"
    state = f"{_SIGNS.get(record.state, '?')} {record.state}"
    if record.confirms is not None:
        state += " (confirms)"
    elif record.reason:
        state += f": {first_line(record.reason)}"
    return [
        "" if rank is None else f"={rank}" if rank in tied else str(rank),
        who,
        state,
        *(shown(record.values[name]) if name in record.values else "" for name in searched),
        "–" if record.score is None else f"{record.score:.3f}",
        "" if record.seconds is None else clock(record.seconds),
    ]
