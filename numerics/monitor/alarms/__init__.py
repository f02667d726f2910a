"""What is wrong with a layer, found in its history without false alarms.

Begin with `signatures`; `trend` is the test behind them.
"""
