"""``python -m epsrank`` is the command ``epsrank``."""

from epsrank.cli import main

main()
