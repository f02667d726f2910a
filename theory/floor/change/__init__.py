"""F8, R, R′, R″, F9: what a drop of the loss proves about the features before and after it.

Begin with `counterfactual` (did the features have to change?) and `rank_used` (were more directions
necessary?); `explain` puts both into words.
"""
