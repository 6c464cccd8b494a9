"""A sweep whose trials are pretended, for tests of what happens around them."""

from __future__ import annotations

import pretend_trials
import pytest


@pytest.fixture(scope="session")
def small_data():
    """144 short labelled texts."""
    return pretend_trials.fruit_and_metal()


@pytest.fixture
def make(home, small_data, tiny_static, monkeypatch):
    """Make the folder of a sweep whose trials are pretended."""
    pretend_trials.install(monkeypatch.setattr)
    return lambda **settings: pretend_trials.new_sweep(small_data, tiny_static, **settings)
