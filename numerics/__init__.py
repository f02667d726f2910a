"""Networks and data: features, training, monitors, experiments, plots. Imports theory."""
