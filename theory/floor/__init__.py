"""F1–F6: tail, floors, reachable loss, tightness, rank budget and the reading of a plateau."""
