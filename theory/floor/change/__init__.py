"""F8, R, R′, R″, F9: what a drop of the loss proves about the features before and after it.

Begin with `counterfactual_floor` (did the features have to change?) and `rank_used` (were more
directions necessary?); `explain_drop` puts both into words.
"""
