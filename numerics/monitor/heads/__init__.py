"""What the output layer computes and what becomes of it on the way to the output (F7).

Read `insertion.py` first: passes in which what the head gives is replaced, and no parameter is
touched. `affine.py` finds out whether the output is affine in it; `rows.py` turns that into the
features, targets and weights of a reading.
"""
