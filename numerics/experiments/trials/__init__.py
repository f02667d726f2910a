"""Kinds of trial other than a training, carried out by the workers of sweeps.

One kind per file, a function from settings to JSON values; `epsrank.numerics.sweeps.trial` gives
each its name.
"""
