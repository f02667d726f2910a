"""The trials of experiments C: small trainings with the quantities of each measured on the way."""
