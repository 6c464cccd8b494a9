"""How a plan looks: an aligned table in a terminal, a grouped one in a notebook."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from embedtune_nb.plan.space_table import space_as_html, space_as_text

if TYPE_CHECKING:
    from embedtune_nb.plan.plan import Plan, Setting

GROUPS: dict[str, tuple[str, ...]] = {
    "Objective": (
        "loss",
        "loss_scale",
        "margin",
        "contrastive_sigma",
        "normalize_embeddings",
        "hard_negatives",
        "false_negative_masking",
        "matryoshka_dims",
        "instruction",
        "prompts",
    ),
    "What is trained": (
        "adapter",
        "adapter_rank",
        "adapter_side",
        "adapter_start",
        "lora_rank",
        "lora_alpha",
        "trained_parameters",
        "frozen_parameters",
    ),
    "Length of training": ("epochs", "max_steps", "steps_per_epoch", "steps_total", "batch_size"),
    "Learning rate": (
        "learning_rate",
        "head_learning_rate",
        "warmup",
        "learning_rate_scheduler",
        "weight_decay",
    ),
    "Texts": ("max_seq_length", "truncation_side"),
    "Evaluation": (
        "metric",
        "eval_method",
        "eval_steps",
        "early_stopping",
        "early_stopping_threshold",
        "neighbor_count",
        "neighbor_weighting",
        "neighbor_eval_count",
        "neighbor_eval_pool_subsample",
    ),
    "Sweep": (
        "trial_count",
        "sampler",
        "sampler_startup",
        "pruning",
        "confirm",
        "keep_trials",
        "trial_workers",
    ),
    "Run": (
        "seed",
        "bf16",
        "micro_batch_size",
        "logging_steps",
        "checkpoint_save_steps",
        "checkpoint_save_total_limit",
    ),
}

# Setting, value, source; the reason takes the rest.
_COLUMN_WIDTHS = (27, 12, 10, 51)
_CSS = """
.etn-plan{--a:#0072B2;--line:var(--jp-border-color2,#d5d5d5);--soft:var(--jp-ui-font-color2,#616161);
font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,#212121);
background:var(--jp-layout-color1,#fff);border:1px solid var(--line);border-radius:8px;padding:12px;
max-width:1200px;box-sizing:border-box}
[data-jp-theme-light=false] .etn-plan{--a:#56B4E9}
.etn-plan .h{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;margin-bottom:8px}
.etn-plan .h b{font-size:15px}.etn-plan .h span{color:var(--soft)}
.etn-plan .f{display:flex;flex-wrap:wrap;gap:8px 24px;margin:0 0 8px}
.etn-plan .f div{min-width:96px}.etn-plan .f b{display:block;font:600 20px/1.3
var(--jp-ui-font-family,system-ui,sans-serif);font-variant-numeric:tabular-nums}
.etn-plan .f small{font-size:11px;color:var(--soft)}
.etn-plan table{width:100%;border-collapse:collapse;border:0;margin:0;font-size:13px;color:inherit}
.etn-plan tr,.etn-plan tr:hover{background:none!important}
.etn-plan td,.etn-plan th{text-align:left!important;vertical-align:top;padding:4px 8px 4px 0;border:0;
white-space:normal;overflow-wrap:anywhere}
.etn-plan td.v,.etn-plan td.s{white-space:nowrap}
.etn-plan tbody tr+tr td{border-top:1px solid var(--line)}
.etn-plan th.g{padding-top:12px;font-size:11px;font-weight:600;color:var(--soft)}
.etn-plan .v{text-align:right!important;padding-right:16px;font-variant-numeric:tabular-nums;font-weight:600}
.etn-plan .s{font-size:11px}.etn-plan .s i{font-style:normal;border:1px solid var(--line);border-radius:8px;
padding:0 6px;color:var(--soft)}.etn-plan .s i.user{color:var(--a);border-color:var(--a);font-weight:600}
.etn-plan .r{color:var(--soft)}.etn-plan .x{font-weight:600;color:var(--a)}
.etn-plan ul{margin:8px 0 0;padding:8px 12px 8px 28px;border-left:3px solid #E69F00}
.etn-plan details{margin-top:8px}.etn-plan pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0 0;
padding:8px;border:1px solid var(--line);border-radius:4px;background:var(--jp-layout-color2,#f5f5f5);
color:inherit;font:12px/1.5 var(--jp-code-font-family,monospace)}
""".replace("\n", " ")


def shown(value: Any) -> str:
    """Return a setting's value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return str(value)


def duration(seconds: float) -> str:
    """Return seconds as ``40 s``, ``2.5 min`` or ``3.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def headline(plan: Plan) -> list[tuple[str, str]]:
    """Return the figures that sum a plan up: (figure, what it is)."""
    low, high = plan.estimate.get("seconds_low"), plan.estimate.get("seconds_high")
    watching = plan.estimate.get("evaluation_share")
    memory, share = plan.estimate.get("peak_memory_bytes"), plan.data.get("truncated_share")
    length = (shown(plan["steps_total"]), "steps")
    if plan.kind == "sweep":
        length = (shown(plan["trial_count"]), "trials")
    return [
        length,
        (
            f"{duration(low)} – {duration(high)}" if low is not None and high is not None else "unknown",
            "time",
        ),
        (f"{memory / 1e9:.1f} GB" if memory else "unknown", "peak memory"),
        (f"{share:.1%}" if share is not None else "–", "texts cut"),
    ] + ([(f"{watching:.0%}", "of training is evaluation")] if watching else [])


def title(plan: Plan) -> str:
    """Return what the plan does, in one line."""
    counts = (plan.data.get("split") or {}).get("counts") or {}
    parts = ", ".join(f"{shown(count)} {part}" for part, count in counts.items() if count)
    rows = f"{shown(plan.data.get('rows'))} {plan.data.get('kind')} rows"
    choices = {axis.name: " | ".join(map(str, axis.choices)) for axis in plan.space if axis.choices}
    base, loss = choices.get("base_model", plan.base.get("id")), choices.get("loss", plan["loss"])
    told = f"{base} · {loss} · {rows}" + (f": {parts}" if parts else "")
    others = [
        f" + {other.settings['loss'].value} · {shown(other.data.get('rows'))} {other.data.get('kind')} rows"
        for other in plan.further
    ]
    return told + "".join(others)


def plan_as_text(plan: Plan) -> str:
    """Return the plan as an aligned table."""
    grouped = _grouped(plan)
    rows = [(name, shown(s.value), s.source) for settings in grouped.values() for name, s in settings]
    name_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    margin = 2 + name_width + 2 + value_width + 2 + 8 + 2
    what = "Plan of the sweep" if plan.kind == "sweep" else "Plan"
    lines = [
        f"{what} {plan.name!r}: {title(plan)}",
        " · ".join(f"{figure} {what}" for figure, what in headline(plan)),
    ]
    if plan.space:
        lines += ["", *space_as_text(plan.space)]
    for group, settings in grouped.items():
        lines += ["", group]
        for name, setting in settings:
            start = f"  {name:<{name_width}}  {shown(setting.value):>{value_width}}  {setting.source:<8}  "
            reason = textwrap.wrap(setting.reason, 56) or [""]
            lines.append((start + reason[0]).rstrip())
            lines += [" " * margin + line for line in reason[1:]]
    if plan.advice:
        lines += ["", "Advice", *(f"  - {sentence}" for sentence in plan.advice)]
    return "\n".join(lines)


def plan_as_html(plan: Plan) -> str:
    """Return the plan as self-contained HTML; every text from outside is escaped."""
    figures = "".join(
        f"<div><b>{escape(figure)}</b><small>{escape(what)}</small></div>" for figure, what in headline(plan)
    )
    rows = "".join(
        f'<tr><th class="g" colspan="4" scope="rowgroup">{escape(group)}</th></tr>'
        + "".join(_row(name, setting) for name, setting in settings)
        for group, settings in _grouped(plan).items()
    )
    widths = "".join(f'<col style="width:{width}%">' for width in _COLUMN_WIDTHS)
    advice = "".join(f"<li>{escape(sentence)}</li>" for sentence in plan.advice)
    parts = [
        f"<style>{_CSS}</style>",
        f'<div class="h"><b>{escape(plan.name)}</b><span>{escape(title(plan))}</span></div>',
        f'<div class="f">{figures}</div>',
        space_as_html(plan.space) if plan.space else "",
        f"<table><colgroup>{widths}</colgroup><tbody>{rows}</tbody></table>",
        f"<ul>{advice}</ul>" if advice else "",
        _folded("Time and memory", str(plan.estimate.get("reason", ""))),
        _folded("Code that does this", plan.code),
    ]
    return f'<div class="etn-root etn-plan">{"".join(parts)}</div>'


def _folded(what: str, text: str) -> str:
    return f"<details><summary>{escape(what)}</summary><pre>{escape(text)}</pre></details>"


def _row(name: str, setting: Setting) -> str:
    source = escape(setting.source)
    return (
        f'<tr><td>{escape(name)}</td><td class="v">{escape(shown(setting.value))}</td>'
        f'<td class="s"><i class="{source}">{source}</i></td><td class="r">{escape(setting.reason)}</td></tr>'
    )


def _grouped(plan: Plan) -> dict[str, list[tuple[str, Setting]]]:
    searched = {axis.name for axis in plan.space}  # which have a table of their own
    settings = {name: setting for name, setting in plan.settings.items() if name not in searched}
    groups = {
        group: [(name, settings[name]) for name in names if name in settings]
        for group, names in GROUPS.items()
    }
    known = {name for names in GROUPS.values() for name in names}
    groups["Other"] = [(name, setting) for name, setting in settings.items() if name not in known]
    for place, other in enumerate(plan.further, 2):
        groups[f"Objective {place}: {other.title}"] = list(other.settings.items())
    return {group: settings for group, settings in groups.items() if settings}
