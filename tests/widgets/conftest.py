"""A table to pick in a studio, and studios that are closed after the test."""

from __future__ import annotations

import pandas as pd
import pytest

from embedtune_nb.widgets.studio import Studio


@pytest.fixture
def table(topic_rows):
    return pd.DataFrame(topic_rows).rename(columns={"value": "question", "label": "topic"})


@pytest.fixture
def studio_of(home):
    """Return a function that makes a Studio on some variables; it is closed after the test."""
    made = []

    def make(**variables):
        made.append(Studio(namespace=variables))
        return made[-1]

    yield make
    for studio in made:
        studio.close()
