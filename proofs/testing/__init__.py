"""What claims are tested with, of this project and of others: `epsrank.testing` exports it."""
