"""Advice fits the numbers at hand, and is silent where nothing is the matter."""

from embedtune_nb.data.datasource import Datasource


def about(plan, word):
    return [sentence for sentence in plan.advice if word in sentence]


def imbalanced(rows=200):
    return Datasource.from_list(
        [{"text": f"text w{row} x{row}", "label": "common" if row % 20 else "rare"} for row in range(rows)]
    )


def test_rows_below_what_guides_ask_for_are_told_with_the_number(plan_for, pairs):
    (sentence,) = about(plan_for(pairs(rows=400)), "guides ask for")
    assert "2,000" in sentence and "training rows of pairs" in sentence
    (sentence,) = about(plan_for(pairs(rows=60)), "off the shelf")
    assert "jargon" in sentence
    assert not about(plan_for(pairs(rows=3000)), "guides ask for")


def test_imbalance_points_to_the_loss_for_it(plan_for):
    (sentence,) = about(plan_for(imbalanced()), "differ much in size")
    assert "190" not in sentence and 'loss="proxy"' in sentence
    (sentence,) = about(plan_for(imbalanced(), loss="proxy"), "differ much in size")
    assert "proxy" not in sentence


def test_epochs_and_evaluations_that_do_not_fit_the_run(plan_for, pairs):
    assert about(plan_for(pairs(), {"epochs": 9}), "learn the rows by heart")
    assert not about(plan_for(pairs(), {"epochs": 9, "early_stopping": True}), "by heart")
    assert about(plan_for(pairs(), {"epochs": 2}), "one pass is safer")
    assert not about(plan_for(pairs(), {"epochs": 1}), "one pass is safer")
    assert about(plan_for(pairs(), {"eval_steps": 500}), "more than the")
    stopping = {"early_stopping": 3, "eval_steps": 4, "max_steps": 12}
    assert about(plan_for(pairs(), stopping), "cannot act")
    assert not about(plan_for(pairs(), {**stopping, "eval_steps": 2}), "cannot act")


def test_a_small_batch_is_told_where_rows_are_compared(plan_for, pairs, labeled):
    (sentence,) = about(plan_for(pairs(), {"batch_size": 16}), "memory sets no limit")
    assert "15 negatives" in sentence
    assert not about(plan_for(labeled(), {"batch_size": 16}), "memory sets no limit")


def test_the_cost_of_length_is_explained_where_length_is_chosen(plan_for, write_base, labeled):
    long = labeled(length=lambda row: 150 + row)
    setting = plan_for(long, base=write_base(512)).settings["max_seq_length"]
    length, reason = setting.value, setting.reason  # width 16: 6 x 16 = 96 beside the length
    assert f"{length / (96 + length):.0%} on attention" in reason
    assert f"{2 * (96 + 2 * length) / (96 + length):.1f} times" in reason
    assert "attention" not in plan_for(labeled()).settings["max_seq_length"].reason


def test_what_is_not_trained_on_is_told(plan_for):
    rows = [
        {"premise": f"p{row // 3} a b", "hypothesis": f"h{row} c d", "label": row % 3} for row in range(300)
    ]
    plan = plan_for(Datasource.from_list(rows, kind="nli"))
    (sentence,) = about(plan, "Not trained on")
    assert "neutral rows" in sentence
    assert plan.data["not_trained_on"]


def test_proxies_are_given_more_than_one_epoch(plan_for):
    (sentence,) = about(plan_for(imbalanced(), loss="proxy"), "Anchors move little")
    assert "1 epoch," in sentence and "3 epochs" in sentence
    assert not about(plan_for(imbalanced(), {"epochs": 3}, loss="proxy"), "Anchors move little")
    assert not about(plan_for(imbalanced(), loss="contrastive"), "Anchors move little")
