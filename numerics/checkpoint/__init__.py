"""Features from saved networks: runs of the suite, and modules of the user with a weights file."""
