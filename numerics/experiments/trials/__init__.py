"""Kinds of trial other than a training, carried out by the workers of sweeps."""
