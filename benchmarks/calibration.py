"""How often the verdict errs on real differences, and what it says end to end.

Per-query differences come from real comparisons: a base against what a short training run made of it.
Centred to zero mean (or weighted, where most are ties) and drawn from again and again, every "better"
and "worse" is an error; shifted, the share of "better" is the power, beside that of the paired t-test: at
its own 5 %, and with the critical value at which it errs as often as the verdict. A rate beyond its bound
ends with exit status 1; power is measured against the lower of the two.

    python benchmarks/calibration.py                             # documentation of installed libraries
    python benchmarks/calibration.py --data FOLDER               # the static model on all sets
    python benchmarks/calibration.py --data FOLDER --sets cranfield --base MINILM_L6
    python benchmarks/calibration.py --data FOLDER --keep gains.npz   # the next time from there, in seconds
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from quality import Race, read_set

from embedtune_nb import datasets
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.calibration import CENTRED, WEIGHTED, calibrate
from embedtune_nb.evaluation.decision import DIFFERING_MIN
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import ROW_VALUES
from embedtune_nb.evaluation.verdict import paired_verdict
from embedtune_nb.plan.metrics import lower_is_better

#: Two and a half percent on either side are nominal; the rest is what small samples may cost.
_ERROR_MAX = 0.035
_POWER_GAP_MAX = 0.03
_BOUNDS = {"error": _ERROR_MAX, "gap": _POWER_GAP_MAX, "gap_equal": _POWER_GAP_MAX}


def parts_of(data: Path | None, name: str, rows: int, seed: int) -> tuple[Datasource, Datasource]:
    """Return training and test part of a data set in *data*, or of the documentation installed here."""
    if data is not None:
        return read_set(data / name, rows, seed)
    parts = datasets.api_docs(kind=name).split(seed=seed)
    return parts.train, parts.verdict


def gains_of(before: Evaluation, after: Evaluation) -> tuple[str, np.ndarray]:
    """Return the row metric that stands for the deciding one, and by how much each row got better."""
    metric = after.primary if after.primary in after.per_query else ROW_VALUES[after.primary]
    change = after.per_query[metric] - before.per_query[metric].loc[after.per_query.index]
    return metric, (-change if lower_is_better(metric) else change).to_numpy()


def main() -> int:
    """Calibrate on every set and print a table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with one folder a data set; see README.md")
    parser.add_argument("--sets", nargs="*", help="names of data sets; all by default")
    parser.add_argument("--base", default="WORDLLAMA_256")
    parser.add_argument("--rows", type=int, default=500, help="most training rows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=2_000, help="data sets drawn of each size")
    parser.add_argument("--resamples", type=int, default=2_000, help="of each verdict; its own are 10,000")
    parser.add_argument("--null", choices=(CENTRED, WEIGHTED), help="by default weighted where most are ties")
    parser.add_argument("--json", type=Path, help="where to write the table")
    parser.add_argument("--keep", type=Path, help="file of differences: read if it is there, else written")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.sets or ["retrieval", "labeled"]
    if options.data is not None and not options.sets:
        names = sorted(path.name for path in options.data.iterdir() if path.is_dir())
    kept = dict(np.load(options.keep)) if options.keep and options.keep.is_file() else {}
    tables = []
    for key, gains in kept.items() or differences(names, options):
        kept[key] = gains
        if options.keep:
            np.savez(options.keep, **kept)
        if not gains.any():
            print(f"{key}: nothing changed, so there is nothing to draw from")
            continue
        drawn = {"draws": options.draws, "resamples": options.resamples, "seed": options.seed}
        table = calibrate(gains, null=options.null, **drawn)
        tables.append(table.assign(set=key, changed=(gains != 0).mean()))
        print(f"\n{key}, {len(gains):,} rows, {(gains != 0).mean():.0%} changed")
        print(table.to_string(index=False, float_format="{:.4f}".format), flush=True)
        if options.json:
            whole = pd.concat(tables, ignore_index=True)
            options.json.write_text(json.dumps(whole.to_dict("records"), indent=1))
    return report(pd.concat(tables, ignore_index=True))


def differences(names: Sequence[str], options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """Train on every data set and yield, with a name, by how much each row got better."""
    for name in names:
        train, test = parts_of(options.data, name, options.rows, options.seed)
        race = Race(options.base, train, test, options.seed)
        after, _ = race.ours(race.plan["loss"])
        verdict = paired_verdict(race.before, after, metric=race.plan["metric"], seed=0)
        metric, gains = gains_of(race.before, after)
        print(f"\n{name}, {options.base}, {len(train):,} training rows. {verdict.text} p = {verdict.p:.4f}")
        yield f"{name} {metric}", gains


def report(table: pd.DataFrame) -> int:
    """Print what lies beyond its bound; return 1 if anything does."""
    table = table.assign(
        error=table[["better", "worse"]].max(axis=1),
        gap=table["t_power"] - table["power"],
        gap_equal=table["t_power_equal"] - table["power"],
    )
    print(f"\nBounds: {_ERROR_MAX:.1%} of false answers, power {_POWER_GAP_MAX:.0%} below the t-test's")
    for size, rows in table.groupby("rows"):
        names = ("better", "worse", "t_better", "t_worse", "gap", "gap_equal")
        most = {name: f"{rows[name].max():.1%}" for name in names}
        beyond = [int((rows[name] > bound).sum()) for name, bound in _BOUNDS.items()]
        print(
            f"{size} rows: false 'better' at most {most['better']}, 'worse' {most['worse']} (t-test "
            f"{most['t_better']}, {most['t_worse']}); power at most {most['gap']} below the t-test's, "
            f"{most['gap_equal']} at equal error. Beyond the bounds: {beyond} of {len(rows)}"
        )
    errors = table[table["error"] > _ERROR_MAX]
    able = table["rows"] * table["changed"] >= DIFFERING_MIN  # fewer changes never show a difference
    weak = table[able & (table[["gap", "gap_equal"]].min(axis=1) > _POWER_GAP_MAX)]
    for title, rows in (("errs too often", errors), ("sees too little", weak)):
        for row in rows.to_dict("records"):
            print(
                f"{title}: {row['set']}, {row['rows']} rows ({row['null']}): {row['better']:.1%} better, "
                f"{row['worse']:.1%} worse (t {row['t_better']:.1%}, {row['t_worse']:.1%}), power "
                f"{row['power']:.1%} (t {row['t_power']:.1%}, at equal error {row['t_power_equal']:.1%})"
            )
    return int(bool(len(errors) or len(weak)))


if __name__ == "__main__":
    sys.exit(main())
