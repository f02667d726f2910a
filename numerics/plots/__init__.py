"""Figures of runs and of the theory: pure functions from arrays to matplotlib figures."""
