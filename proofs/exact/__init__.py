"""Oracles in exact arithmetic that share nothing with the routes of theory."""
