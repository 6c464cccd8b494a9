"""Altair pictures of a sweep, in the look of the others: a DataFrame of trials in, a Chart out.

Those that take *trials* want one row a trial or confirming run, as ``model.trials.to_frame()`` gives them.
"""

from embedtune_nb.sweep_charts.curves import curves
from embedtune_nb.sweep_charts.history import history
from embedtune_nb.sweep_charts.importance import importance
from embedtune_nb.sweep_charts.parallel import parallel
from embedtune_nb.sweep_charts.slices import slices

__all__ = ["curves", "history", "importance", "parallel", "slices"]
