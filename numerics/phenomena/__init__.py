"""Quantities of phenomena of training: condensation, amplitudes, weights, curvature, stiffness.

Each has the shape of `epsrank.numerics.monitor.quantity.contract`: called as
``quantity(model, loss, data)`` it gives a number, alone or at each measurement of a monitor. What
it computes is a function of plain arrays beside it. Read `neurons` first, or for what
differentiates the loss `derivatives`.
"""
