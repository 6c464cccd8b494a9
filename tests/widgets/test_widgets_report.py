"""The page that tells the whole story of a model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from made_up.job import CODE, ScriptedJob
from made_up.verdict import VERDICT

from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.widgets.report import save_report


def test_the_page_says_each_thing_once(tmp_path: Path) -> None:
    model = SimpleNamespace(
        name="api-docs",
        job=ScriptedJob(at=1.0),
        verdict=Verdict.from_dict(VERDICT),
        recipe=SimpleNamespace(_repr_html_=lambda: "<table></table>", code=CODE),
    )
    page = save_report(model, tmp_path / "report.html", with_map=False).read_text(encoding="utf-8")
    assert page.count("180 wins") == 1
    assert page.count("0.521 -") == 1
    assert page.count("data:image/svg+xml;base64,") == 1
    assert "150 of 150" in page
    assert "longer than 256 tokens" in page
