"""The claims on pre-training: arms, trials, comparisons, figures, and the rule that judges."""
