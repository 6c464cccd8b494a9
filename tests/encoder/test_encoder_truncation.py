"""The end at which long texts are cut is saved with a model, and read again."""

from __future__ import annotations

import pytest

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_saved_model_goes_on_cutting_at_the_end_it_was_told(tiny_bert, tmp_path, side):
    text = " ".join(["card"] * 10 + ["storm"] * 10)
    told = Encoder(load_folder(tiny_bert, device="cpu"), 8, side)
    told.save(tmp_path / "saved")
    again = Encoder(load_folder(tmp_path / "saved", device="cpu"))
    kept = "card" if side == "right" else "storm"
    assert again.embed([text]) == pytest.approx(again.embed([" ".join([kept] * 6)]), abs=1e-5)
    assert again.embed([text]) == pytest.approx(told.embed([text]), abs=1e-6)
