"""The experiments of the ε-rank papers: what is run, how it is judged, and what was found."""
