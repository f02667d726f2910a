"""Where measurements go besides the history: experiment trackers and files that only grow.

Begin with `protocol`, what every sink does; `files`, `parquet` and `trackers` are the sinks, and
`follow` reads their files while they grow.
"""
