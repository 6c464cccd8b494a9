"""What the linter has to say, gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedtune_nb.data.lint.finding import SEVERITIES, Finding, NotLookedAt
from embedtune_nb.data.visible import visible
from embedtune_nb.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

_STYLE = """
.etn-lint{--ink:var(--jp-ui-font-color1,CanvasText);--soft:var(--jp-ui-font-color2,GrayText);
--edge:var(--jp-border-color2,rgba(128,128,128,.35));color-scheme:light dark;color:var(--ink);
background:var(--jp-layout-color1,Canvas);border:1px solid var(--edge);border-radius:8px;padding:12px;
max-width:1100px;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif)}
.etn-lint .top b{font-size:15px;margin-right:12px}
.etn-lint .soft{color:var(--soft);font-size:11px}
.etn-lint details{border-top:1px solid var(--edge);padding:6px 0}
.etn-lint summary{cursor:pointer;overflow-wrap:anywhere}
.etn-lint .serious,.etn-lint .warning,.etn-lint .note{display:inline-block;min-width:4.5em;font-size:11px;
font-weight:600;border-left:4px solid;padding-left:6px;margin-right:6px}
.etn-lint .serious{border-color:#D55E00}.etn-lint .warning{border-color:#E69F00}
.etn-lint .note{border-color:#0072B2}
.etn-lint dl{margin:6px 0 6px 16px;display:grid;grid-template-columns:max-content 1fr;gap:2px 12px}
.etn-lint dt{color:var(--soft)}.etn-lint dd{margin:0;overflow-wrap:anywhere}
"""


class LintReport:
    """The findings of the linter, the gravest first. Iterate over it, or ask for one by its name.

    Attributes
    ----------
    findings : tuple of Finding
        What was found.
    not_looked_at : tuple of NotLookedAt
        The checks that were not made, and why.
    clean : tuple of str
        The checks that found nothing.
    """

    def __init__(
        self,
        data: Datasource,
        findings: Sequence[Finding],
        not_looked_at: Sequence[NotLookedAt],
        clean: Sequence[str],
        checks: int,
        seconds: float,
        fix_options: dict[str, Any] | None = None,
    ) -> None:
        self._data, self._checks, self.seconds = data, checks, seconds
        self._fix_options = dict(fix_options or {})
        self.findings = tuple(
            sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.share))
        )
        self.not_looked_at, self.clean = tuple(not_looked_at), tuple(clean)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self.findings)

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """Return the gravest finding called *name*."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        names = dict.fromkeys(finding.name for finding in self.findings)
        skipped = {check.name: check.reason for check in self.not_looked_at}
        if name in skipped:
            raise DataError(f"{name!r} was not looked at: {skipped[name]}.")
        if name in self.clean:
            raise DataError(f"{name!r} was looked at, and nothing was found.")
        raise DataError(
            f"The report has no finding {name!r}.",
            expected="one of " + (", ".join(names) or "none: nothing was found"),
            fix=did_you_mean(name, names) + "See report.to_frame().",
        )

    def fix(self, *names: str, **options: Any) -> Datasource:
        """Mend the data that was looked at, with what it was looked at with; see :meth:`Datasource.fix`."""
        return self._data.fix(*names, **{**self._fix_options, **options})

    def to_frame(self) -> pd.DataFrame:
        """Return one row a check: severity, count, total, share, summary, cost and fix.

        Checks that found nothing have the severity ``"clean"``, those not made ``"not looked at"``.
        """
        columns = ["name", "severity", "count", "total", "share", "summary", "cost", "fix"]
        rows: list[dict[str, Any]] = [
            {column: getattr(finding, column) for column in columns} for finding in self.findings
        ]
        told = {"summary": "", "cost": "", "fix": ""}
        rows += [{"name": name, "severity": "clean", "count": 0, **told} for name in self.clean]
        rows += [
            {"name": check.name, "severity": "not looked at", **told, "summary": check.reason}
            for check in self.not_looked_at
        ]
        return pd.DataFrame(rows, columns=columns).astype({"count": "Int64", "total": "Int64"})

    def __repr__(self) -> str:
        lines = [f"Lint of {self._data.name!r} ({self._headline()})"]
        for finding in self.findings:
            lines += ["", f"{finding.severity.upper():<8} {finding.name}: {finding.summary}"]
            lines += [f"    {_joined(example)}" for example in finding.examples[:2]]
            lines += [f"    if ignored: {finding.cost}", f"    to do:      {finding.fix}"]
        return "\n".join([*lines, "", *self._rest()])

    def _repr_html_(self) -> str:
        blocks = "".join(_block(finding) for finding in self.findings)
        rest = "".join(f"<div class='soft'>{escape(line)}</div>" for line in self._rest())
        return (
            f'<div class="etn-lint"><style>{_STYLE}</style><div class="top"><b>Lint of '
            f"{escape(self._data.name)}</b><span>{escape(self._headline())}</span></div>{blocks}{rest}</div>"
        )

    def _rest(self) -> list[str]:
        lines = [f"Nothing found: {', '.join(self.clean)}."] if self.clean else []
        lines += [
            f"Not looked at: {check.name}, {check.reason}." for check in self.not_looked_at if check.applies
        ]
        foreign = ", ".join(check.name for check in self.not_looked_at if not check.applies)
        return [*lines, f"Do not apply to {self._data.kind} data: {foreign}."] if foreign else lines

    def _headline(self) -> str:
        counts = {level: sum(finding.severity == level for finding in self.findings) for level in SEVERITIES}
        plural = {"warning": "warnings", "note": "notes"}
        told = ", ".join(
            f"{count} {plural.get(level, level) if count > 1 else level}"
            for level, count in counts.items()
            if count
        )
        told = told or "nothing found"
        return f"{told}; {self._checks} checks in {self.seconds:.1f} s"


def _block(finding: Finding) -> str:
    facts = {"if ignored": finding.cost, "to do": finding.fix}
    rows = "".join(f"<dt>{key}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    rows += "".join(f"<dt>example</dt><dd>{escape(_joined(example))}</dd>" for example in finding.examples)
    opened = " open" if finding.severity == "serious" else ""
    return (
        f"<details{opened}><summary><span class='{finding.severity}'>{finding.severity}</span>"
        f"<b>{escape(finding.name)}</b> {escape(finding.summary)}</summary><dl>{rows}</dl></details>"
    )


def _joined(example: tuple[str, ...]) -> str:
    parts = [visible(" ".join(part.split())) for part in example]
    return " | ".join(part if len(part) <= 90 else part[:89].rstrip() + "…" for part in parts)
