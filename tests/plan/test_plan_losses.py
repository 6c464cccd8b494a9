import pytest

from embedtune_nb.errors import LossError, NotYetError
from embedtune_nb.plan.losses import LOSSES, check_loss, loss_table, losses_for


@pytest.mark.parametrize(
    ("kind", "losses"),
    [("labeled", ["prediction", "contrastive"]), ("pairs", ["contrastive"]), ("retrieval", ["contrastive"])],
)
def test_what_works_on_which_kind_default_first(kind, losses):
    assert [loss.name for loss in losses_for(kind)] == losses
    chosen, source, _ = check_loss(kind, None)
    assert (chosen.name, source) == (losses[0], "default")


def test_a_named_loss_is_the_users():
    loss, source, reason = check_loss("labeled", "contrastive")
    assert (loss.name, source) == ("contrastive", "user")
    assert reason


def test_an_unknown_loss_is_an_error_that_knows_the_right_one():
    with pytest.raises(LossError, match="Did you mean 'contrastive'") as caught:
        check_loss("labeled", "contrastiv")
    assert loss_table() in str(caught.value)


@pytest.mark.parametrize("loss", ["triplet", "proxy"])
def test_a_loss_to_come_says_not_yet(loss):
    with pytest.raises(NotYetError, match="not part of this version yet") as caught:
        check_loss("labeled", loss)
    assert "loss='prediction'" in caught.value.expected


@pytest.mark.parametrize(
    ("kind", "loss"), [("pairs", "prediction"), ("retrieval", "proxy"), ("labeled", "cosent")]
)
def test_a_pair_that_makes_no_sense_is_refused_with_the_table(kind, loss):
    with pytest.raises(LossError, match="does not fit") as caught:
        check_loss(kind, loss)
    assert not isinstance(caught.value, NotYetError)
    assert loss_table() in str(caught.value)


def test_the_table_says_what_the_checks_do():
    head, *rows = (line.split() for line in loss_table().splitlines())
    for kind, *cells in rows:
        for loss, cell in zip(head[1:], cells, strict=True):
            assert (cell in ("yes", "default")) == (kind in LOSSES[loss].kinds)


def test_pickers_have_a_text_for_every_loss():
    assert all(loss.summary and loss.best_for for loss in LOSSES.values())
    assert "search" in LOSSES["contrastive"].best_for.lower()
    assert "first run" in LOSSES["prediction"].best_for.lower()
