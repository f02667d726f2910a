"""What a model computes: layers, found in a watched pass, and how their features are seen."""
