"""The ledger of claims, what checks them, and what is reported. Imports numerics and theory."""
