"""Charts carry texts of the data; none of them may leave the place it stands in."""

from __future__ import annotations

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
