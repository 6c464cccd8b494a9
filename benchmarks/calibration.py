"""How often the verdict errs on real differences, and what it says end to end.

Per-query differences come from real comparisons: a base against what a short training run made of it.
Centred to zero mean and drawn from again and again, every "better" and "worse" is an error; shifted, the
share of "better" is the power, beside that of the paired t-test. A rate beyond its bound ends with exit
status 1. Centring makes a small loss of every tie; where so few rows changed that a data set may hold none
of the gains which balance it, no test can tell, and the rates are shown but not judged.

    python benchmarks/calibration.py                             # documentation of installed libraries
    python benchmarks/calibration.py --data FOLDER               # the static model on all sets
    python benchmarks/calibration.py --data FOLDER --sets cranfield --base MINILM_L6
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from quality import Race, read_set

from embedtune_nb import datasets
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.calibration import calibrate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import ROW_VALUES
from embedtune_nb.evaluation.verdict import paired_verdict
from embedtune_nb.plan.metrics import lower_is_better

#: Two and a half percent on either side are nominal; the rest is what small samples may cost.
_ERROR_MAX = 0.035
_POWER_GAP_MAX = 0.03
#: Rows that changed, of those drawn, for the rates to be judged.
_CHANGED_MIN = 15


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
    parser.add_argument("--json", type=Path, help="where to write the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.sets or ["retrieval", "labeled"]
    if options.data is not None and not options.sets:
        names = sorted(path.name for path in options.data.iterdir() if path.is_dir())
    tables = []
    for name in names:
        train, test = parts_of(options.data, name, options.rows, options.seed)
        race = Race(options.base, train, test, options.seed)
        after, _ = race.ours(race.plan["loss"])
        verdict = paired_verdict(race.before, after, metric=race.plan["metric"], seed=0)
        metric, gains = gains_of(race.before, after)
        print(
            f"\n{name}, {options.base}, {len(train):,} rows. {verdict.text} p = {verdict.p:.4f}", flush=True
        )
        if not gains.any():
            print("nothing changed, so there is nothing to draw from")
            continue
        table = calibrate(gains, draws=options.draws, seed=options.seed)
        table["judged"] = table["rows"] * (gains != 0).mean() >= _CHANGED_MIN
        tables.append(table.assign(set=name, base=options.base, metric=metric))
        print(table.to_string(index=False, float_format="{:.4f}".format), flush=True)
        if options.json:
            whole = pd.concat(tables, ignore_index=True)
            options.json.write_text(json.dumps(whole.to_dict("records"), indent=1))
    return report(pd.concat(tables, ignore_index=True))


def report(table: pd.DataFrame) -> int:
    """Print what lies beyond its bound; return 1 if anything does."""
    shown, table = len(table), table[table["judged"]]
    errors = table[(table["better"] > _ERROR_MAX) | (table["worse"] > _ERROR_MAX)]
    weak = table[table["t_power"] - table["power"] > _POWER_GAP_MAX]
    better, worse = table["better"].max(), table["worse"].max()
    gap = (table["t_power"] - table["power"]).max()
    print(
        f"\n{len(table)} of {shown} calibrations are judged: largest share of false 'better' {better:.2%}, "
        f"of false 'worse' {worse:.2%} (bound {_ERROR_MAX:.1%}); power at most {gap:.1%} below the paired "
        f"t-test's (bound {_POWER_GAP_MAX:.0%})."
    )
    for title, rows in (("errs too often", errors), ("sees too little", weak)):
        for row in rows.to_dict("records"):
            print(f"{title}: {row}")
    return int(bool(len(errors) or len(weak)))


if __name__ == "__main__":
    sys.exit(main())
