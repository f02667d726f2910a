"""Oracles in exact arithmetic that share nothing with the routes of theory.

`oracle` counts eigenvalues, `rational_floor` evaluates F1 to F5; properties and checkers hold the
routes against them.
"""
