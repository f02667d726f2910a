"""The chain ℓ ≥ V ≥ envelope ≥ floor in exact and ball arithmetic."""
