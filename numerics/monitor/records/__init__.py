"""What was measured, in memory and in files.

Begin with `record`, one layer at one step; `history` keeps them, `columns` makes rows of them, and
`files` writes and reads these.
"""
