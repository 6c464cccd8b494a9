"""Charts carry texts of the data; none of them may leave the place it stands in."""

from __future__ import annotations

import altair as alt
import pandas as pd

from embedtune_nb import charts

HOSTILE = "</script><script>evil()</script><!-- x"


def test_no_text_of_the_data_can_end_the_script_that_holds_it():
    places = {f"{axis}_{side}": [0.0, 1.0] for axis in "xy" for side in ("before", "after")}
    frame = pd.DataFrame({"text": [HOSTILE, "plain"], "label": [HOSTILE, "other"], **places})
    page = charts.before_after(frame).to_html()
    assert "evil()" in page, "the text is still shown"
    assert "</script><script>evil" not in page
    assert "<!-- x" not in page


def test_a_chart_is_shown_without_a_network():
    frame = pd.DataFrame({"metric": "train/loss", "step": [1, 2], "value": [1.0, 0.5]})
    drawn = charts.curves(frame, metric="eval/accuracy")
    for chart in (drawn, drawn.properties(title="mine"), drawn.copy()):
        shown = chart._repr_mimebundle_(include=None, exclude=None)
        assert set(shown) == {"image/svg+xml", "text/plain"}
        assert shown["image/svg+xml"].startswith("<svg") and "cdn" not in shown["image/svg+xml"]


def test_whoever_chose_another_way_to_show_charts_keeps_it():
    frame = pd.DataFrame({"metric": "train/loss", "step": [1, 2], "value": [1.0, 0.5]})
    drawn = charts.curves(frame, metric="eval/accuracy")
    with alt.renderers.enable("json"):
        assert "image/svg+xml" not in str(drawn._repr_mimebundle_(None, None))
    assert isinstance(alt.Chart.from_dict(drawn.to_dict()["hconcat"][0], validate=False), alt.TopLevelMixin)


def test_the_loss_on_held_out_rows_stands_in_the_chart_of_the_training_loss():
    steps = list(range(1, 7))
    frame = pd.DataFrame({"metric": "train/loss", "step": steps, "value": [3.0, 2.5, 2.0, 1.5, 1.0, 0.5]})
    alone = charts.curves(frame, metric="eval/ndcg@10")
    held_out = pd.DataFrame({"metric": "eval/loss", "step": [3, 6], "value": [2.2, 2.345]})
    both = charts.curves(pd.concat([frame, held_out]), metric="eval/ndcg@10")
    assert "eval/loss (dashed) 2.345" in both.to_json() and "eval/loss" not in alone.to_json()
    dashed = [layer for layer in both.to_dict()["hconcat"][0]["layer"] if "strokeDash" in layer["mark"]]
    assert len(dashed) == 1
    points = both.to_dict()["datasets"][dashed[0]["data"]["name"]]
    assert [(point["step"], point["value"]) for point in points] == [(3, 2.2), (6, 2.345)]


def test_the_curve_over_weights_marks_the_suggested_one():
    frame = pd.DataFrame(
        {
            "weight": [0.0, 0.5, 1.0],
            "score": [0.5, 0.62, 0.6],
            "topics": [0.8, 0.79, 0.7],
            "neighbors_kept": [1.0, 0.9, 0.6],
            "suggested": [False, True, False],
        }
    )
    drawn = charts.merge_curve(frame, "NDCG@10")
    assert "NDCG@10   suggested 0.5 (dashed)" in drawn.to_json()
    assert "<svg" in charts.svg(drawn)
    level = charts.svg(charts.merge_curve(frame.assign(score=0.205), "NDCG@10"))
    assert ">0.205<" in level or ">0.20<" in level, "the axis of scores that are all alike names them"
