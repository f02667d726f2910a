"""C: diagnostics of stages of training: curvature and noise, stiffness, frequency, early phase.

`c03_break_even` first; what the experiments share is in `arms`, and their trials in `trials`.
"""
