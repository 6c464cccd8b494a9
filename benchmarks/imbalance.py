"""Classes of very different size: does the loss ``proxy``, made for them, help macro F1?

Every loss for labels trains for as many epochs on the same imbalanced rows, with its defaults otherwise, and
is judged by nearest neighbours on test rows, against the base and against ``prediction``. With ``--cut``, the
n-th class keeps a share that falls from 1 to ``--least``, in an order drawn by the seed.

    python benchmarks/imbalance.py --data FOLDER --sets sms_spam
    python benchmarks/imbalance.py --data FOLDER --sets banking77 --cut
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from quality import Race

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.verdict import paired_verdict

_LOSSES = ("prediction", "contrastive", "triplet", "proxy")
_METRIC = "f1_macro"
_JUDGED = 1000


def imbalanced(table: pd.DataFrame, least: float, seed: int) -> pd.DataFrame:
    """Return a cut of *table* whose classes differ much in size."""
    order = np.random.default_rng(seed).permutation(table["label"].unique())
    shares = np.geomspace(1.0, least, len(order))
    parts = [
        rows.sample(max(3, round(share * len(rows))), random_state=seed)
        for label, share in zip(order, shares, strict=True)
        for rows in [table[table["label"] == label]]
    ]
    return pd.concat(parts)


def main() -> None:
    """Print one line for each data set, seed and loss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder a data set")
    parser.add_argument("--sets", nargs="+", required=True, help="names of labelled data sets")
    parser.add_argument("--base", default="WORDLLAMA_256")
    parser.add_argument("--rows", type=int, default=2000, help="most training rows")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--cut", action="store_true", help="make classes differ in size")
    parser.add_argument("--least", type=float, default=0.03, help="share that the smallest class keeps")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.sets:
        table, test = (
            pd.read_csv(next((options.data / name).glob(f"{part}.csv*"))) for part in ("train", "test")
        )
        for seed in options.seeds:
            rows = imbalanced(table, options.least, seed) if options.cut else table
            rows = rows.sample(min(len(rows), options.rows), random_state=seed)
            known = test[test["label"].isin(rows["label"])]
            judged = known.sample(min(len(known), _JUDGED), random_state=0)
            race = Race(
                options.base,
                Datasource.from_pandas(rows, kind="labeled", name=name),
                Datasource.from_pandas(judged, kind="labeled", name=name),
                seed,
            )
            sizes = rows["label"].value_counts()
            print(f"{name}, seed {seed}: {len(rows):,} rows, classes of {sizes.max():,} to {sizes.min():,}")
            found = {loss: race.ours(loss, epochs=options.epochs) for loss in _LOSSES}
            for loss, (after, seconds) in found.items():
                gain = paired_verdict(race.before, after, metric=_METRIC, seed=0)
                against = paired_verdict(found["prediction"][0], after, metric=_METRIC, seed=0)
                print(f"  {loss:12} {gain}; against prediction {against.difference:+.3f}; {seconds:.0f} s")


if __name__ == "__main__":
    main()
