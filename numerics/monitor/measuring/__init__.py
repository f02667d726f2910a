"""One measurement, from schedule to record.

Begin with `measurer`: features of a probe or of a watched step (`probe_set`, `watch`) are summed,
over all processes, and turned into numbers (`layer_numbers`, `reading`). `schedule` says when,
`conductor` and `background` in which thread.
"""
