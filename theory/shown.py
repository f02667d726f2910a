"""What a result shows of itself in a notebook."""

from __future__ import annotations

import html


class Shown:
    """Shown in notebooks as the text that ``print`` gives: one line, escaped."""

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"
