"""A real browser without a window, for tests of pages; they skip where there is none."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--virtual-time-budget=3000")  # fmt: skip


def browse(address: str, *options: str) -> str:
    """Return the page as it is after its scripts; fail on whatever its console says."""
    command = [BROWSER, *_OPTIONS, *(options or ("--dump-dom",)), address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    assert options or "</html>" in done.stdout
    return done.stdout


def in_frame(page: Path, width: int, asks: str) -> Any:
    """Return what a script says of a page that is so wide; `frame` is the window of the page.

    An iframe, as a browser's window without a head is no narrower than 500 pixels.
    """
    outer = page.with_name(f"frame-{page.name}")
    outer.write_text(
        f'<!doctype html><html><body><iframe id="f" src="{page.name}" width="{width}" height="900">'
        "</iframe><script>addEventListener('load', () => setTimeout(() => {"
        "const frame = document.getElementById('f').contentWindow;"
        f"document.body.dataset.found = JSON.stringify({asks});"
        "}, 300))</script></body></html>",
        "utf-8",
    )
    dom = browse(outer.as_uri(), "--allow-file-access-from-files", "--dump-dom")
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found, "the page did not load"
    return json.loads(html.unescape(found[1]))
