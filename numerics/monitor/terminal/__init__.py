"""What a terminal shows of a training.

`view` turns records into text, and `live` shows it while they come.
"""
