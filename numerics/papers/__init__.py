"""Figures of theory, runs and tightness as Matplotlib axes, for papers; begin with `axes`."""
