"""What a published folder needs is not deleted under it."""

from __future__ import annotations

from embedtune_nb.store.home import memorysets_folder, models_folder
from embedtune_nb.store.leases import hold, holders
from embedtune_nb.store.publish import publish


def publish_holding(name, *needed):
    publish(memorysets_folder() / name, lambda folder: hold(folder, *needed))


def test_holders_are_found_whatever_the_case_and_only_once_published(home):
    model, other = models_folder() / "Mine", models_folder() / "other"
    publish_holding("b", model)
    publish_holding("a", model, other)
    publish_holding("none")
    draft = memorysets_folder() / ".tmp-c.1"
    draft.mkdir()
    hold(draft, other)
    assert holders(models_folder() / "mine") == ["a", "b"]
    assert holders(other) == ["a"]
    assert holders(models_folder() / "unknown") == []


def test_a_damaged_lease_holds_nothing(home):
    publish_holding("a", models_folder() / "mine")
    (memorysets_folder() / "a" / "leases.json").write_text("{")
    assert holders(models_folder() / "mine") == []
