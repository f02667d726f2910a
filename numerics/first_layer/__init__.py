"""Initialisation of the first layer by structure: placement, slopes, TransNet; its ranks."""
