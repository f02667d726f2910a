"""What a terminal shows of a training: text of its layers, and a view that follows it."""
