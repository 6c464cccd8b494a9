"""The labelled table of the tests of jobs."""

from __future__ import annotations

import pandas as pd
import pytest
from small_runs import labelled_texts


@pytest.fixture
def labelled() -> pd.DataFrame:
    """96 short distinct texts of three classes."""
    return labelled_texts()
