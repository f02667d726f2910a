"""What is wrong with a layer, found in its history without false alarms."""
