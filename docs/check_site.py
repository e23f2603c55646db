"""Check a built site: it loads nothing from the network, and its mathematics is typeset.

``python docs/check_site.py SITE`` reads every page, and opens key pages in headless Chromium where
there is one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["'](?:https?:)?//[^"']+"""
    r"""|<link[^>]*rel=["']stylesheet["'][^>]*href=["'](?:https?:)?//[^"']+"""
)
_KEY_PAGES = ("start", "derivations", "tutorials/kernels")


def foreign(site: Path) -> list[str]:
    """What pages would load from elsewhere."""
    return [
        f"{path.relative_to(site)}: {found.group()}"
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
        for found in _LOADED.finditer(path.read_text(encoding="utf-8"))
    ]


def not_typeset(site: Path, browser: str) -> list[str]:
    """Key pages whose formulas stay text in a browser without a network."""
    bare = []
    for name in _KEY_PAGES:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        offline = ["--proxy-server=127.0.0.1:9", "--virtual-time-budget=30000"]
        page = (site / f"{name}.html").resolve().as_uri()
        done = subprocess.run(
            [*command, *offline, page], capture_output=True, text=True, check=True, timeout=180
        )
        formulas = len(re.findall(r'class="math ', done.stdout))
        typeset = len(re.findall(r'class="MathJax"', done.stdout))
        if not typeset >= formulas > 0:
            bare.append(f"{name}: {typeset} of {formulas} formulas are typeset")
        bare += [f"{name}: {line}" for line in re.findall(r"File failed to load[^<]*", done.stdout)]
    return bare


def main(site: Path) -> int:
    """Print what is wrong; 1 if anything is."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    wrong = foreign(site) + (not_typeset(site, browser) if browser else [])
    for line in wrong:
        print(line)
    print("no browser: formulas not looked at" if browser is None else "formulas looked at")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
