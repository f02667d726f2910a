"""One measurement, from schedule to record.

Begin with `measurer`: features of a probe or of a watched step (`probe_parts`, `watch`) are summed,
here or in a thread (`background`); what was seen (`seen`) is added over all processes and turned
into numbers (`layer_numbers`, `reading`). `schedule` says when, and the monitor reports them.
"""
