"""Gradient flows from small weights: what the loss does while the network is nearly its first term.

`escape` has two layers, where weights grow exponentially; `leading_order` has L ≥ 3 layers, where
they reach infinity in a finite time.
"""
