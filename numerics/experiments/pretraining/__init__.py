"""The claims on pre-training: arms, trials, comparisons, figures, and the rule that judges.

Begin with `claims`, which judges; it reads comparisons (`design`) of runs (`runs`), which trials of
a kind of their own (`trial`) have made.
"""
