"""B: initial stages of training from small weights: plateaus, condensation, blow-up, low rank.

`b01_stages` first.
"""
