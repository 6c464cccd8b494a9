"""Sweeps: a study in Optuna, trials claimed by workers, and a winner that was asked twice."""
