"""Numbers with a bound on their error: arrays, roundoff, dyadic numbers, intervals, products."""
