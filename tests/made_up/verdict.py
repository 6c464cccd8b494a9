"""What a made-up run found out: an improvement, and a difference that is none."""

from __future__ import annotations

from typing import Any

VERDICT: dict[str, Any] = {
    "metric": "ndcg@10",
    "before": 0.521,
    "after": 0.597,
    "difference": 0.076,
    "low": 0.058,
    "high": 0.094,
    "confidence": 0.95,
    "wins": 180,
    "losses": 66,
    "ties": 404,
    "queries": 650,
    "answer": "better",
    "explanation": "",
    "text": "Better: NDCG@10 0.521 -> 0.597, +0.076 [+0.058, +0.094], 180 wins, 66 losses, 404 ties",
    "resamples": 10_000,
    "seed": 42,
    "others": [
        {
            "metric": "mrr@10",
            "before": 0.482,
            "after": 0.556,
            "difference": 0.074,
            "low": 0.053,
            "high": 0.095,
        },
        {
            "metric": "recall@10",
            "before": 0.64,
            "after": 0.71,
            "difference": 0.07,
            "low": 0.04,
            "high": 0.099,
        },
    ],
}
WHY = "To show a difference of this size, about 2,100 queries would be needed."
UNCLEAR = VERDICT | {
    "after": 0.5214,
    "difference": 0.0004,
    "low": -0.0003,
    "high": 0.0011,
    "answer": "no difference shown",
    "explanation": WHY,
    "text": "No difference shown: NDCG@10 0.5210 -> 0.5214, +0.0004 [-0.0003, +0.0011], 180 wins, 66 losses, "
    f"404 ties. {WHY}",
}
