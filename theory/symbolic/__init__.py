"""The statements of the theory as SymPy formulas, and the identities behind them, checked."""
