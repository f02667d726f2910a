"""One measurement, from schedule to record: probe, sums, numbers, reading; threads, processes."""
