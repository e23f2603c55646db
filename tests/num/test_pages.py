"""Pages and articles of reports: whole, self-contained, and readable by browser and LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.reporting.documents import document_of
from nnft_num.reporting.pages import page_of
from tests.num.test_displays import Balanced

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_BROWSER = "chromium is not installed"
NO_LATEX = "pdflatex is not installed"


@pytest.fixture(scope="module")
def report():
    net = nn.shallow("erf(z)", outputs=2, name="R&D_net 50% <b>")
    return nm.check(
        net, [[-1.0], [0.5]], networks=4000, rng=0, N=2, sigma_w=1, sigma_b=0.5, sigma_v=1
    )


@pytest.fixture(scope="module")
def sweep():
    return nm.sweep(nn.cos_net(), [0.0, 1.0], (1, 2), networks=4000, rng=0, sigma_w=1, sigma_v=1)


@pytest.fixture(scope="module")
def deep():
    return nm.sweep(
        nn.mlp("erf(z)", depth=2), [0.5], (1, 2, 4, 8), networks=2000, rng=0, sigma_w=1, sigma_b=0
    )


@pytest.fixture(scope="module")
def scanned():
    net = nn.shallow("erf(z)", name="φ-net")
    params = {"sigma_w": [0.5, 1.0], "sigma_b": 0, "sigma_v": 1, "N": 2}
    return nm.scan(net, [0.5, 1.0], networks=2000, rng=0, params=params)


@pytest.fixture(scope="module")
def tangents():
    few = nm.sweep_ntk(nn.cos_net(), [0.0, 1.0], (1, 2), networks=500, sigma_w=1, sigma_v=1)
    deep = nn.mlp(nn.Sin(), depth=2)
    return few, nm.sweep_ntk(deep, [0.3], (1, 2, 3, 4), 500, sigma_w=2, sigma_b=0)


@pytest.fixture(scope="module")
def moved():
    net = nn.shallow("erf(z)", name="R&D_net 50% <b>")
    return nm.symmetry_test(
        net, nn.Euclidean(2), [[0.3, 0.8]], networks=640, rng=0, N=2, sigma_w=1, sigma_b=0.5,
        sigma_v=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(report, sweep, deep, scanned, tangents, moved):
    return (report, sweep, deep, scanned, *tangents, moved)


def test_page_is_whole_and_needs_no_network(results, report):
    for page in (page_of(*results, title="all"), *(result.to_html() for result in results)):
        parser = Balanced(void={"meta"})
        parser.feed(page)
        assert not parser.open
        outside = re.findall(r"(?:src|href)=\"(?!#)[^\"]*|url\((?!#)[^)]*|@import", page)
        assert not outside
        assert not re.search(r"<(script|link|iframe|img)\b", page)
    page = report.to_html()
    assert page.count("<math") > 10
    assert page.count("<svg") == 3
    for word in ("[W96]", "@inproceedings{W96", "exact closed form", "R&amp;D_net"):
        assert word in page


def test_a_symmetry_test_is_printed_with_its_elements_and_what_it_rests_on(moved):
    page, article = moved.to_html(), moved.to_latex_document()
    assert {"MSH21", "WY93", "E82"} == set(nn.cite(moved).keys)
    assert page.count("<math") == article.count(r"\formula{") == len(moved.elements)
    for order in moved.orders:
        assert f"Defects of order {order.order}" in page
        assert rf"\paragraph{{Order {order.order}:}} {order.verdict}" in article


def test_pages_are_the_same_on_every_run(report, tmp_path):
    first = report.to_html(tmp_path / "page.html")
    assert first == report.to_html() == (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
def test_a_browser_draws_the_page_and_its_formulas(report, tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "page.html"
    report.to_html(path)
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,2400"),
    ]
    shot = tmp_path / "page.png"
    subprocess.run(
        [*command, f"--screenshot={shot}", path.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    pixels = imread(shot)[..., :3]
    dark = pixels.min(axis=2) < 0.5
    assert pixels.shape[:2] == (2400, 1000)
    assert dark.any(axis=1).sum() > 800
    assert 0.01 < dark.mean() < 0.3
    # the blue of neurons and of verdicts that agree
    blue = np.abs(pixels - np.array([0x56, 0xB4, 0xE9]) / 255).max(axis=2) < 0.02
    assert blue.sum() > 500


def compiled(source, folder):
    """Log of the second of two runs of pdflatex."""
    (folder / "article.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "article.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        log = done.stdout.decode(errors="replace")
        assert done.returncode == 0, log[-2000:]
    return log


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason=NO_LATEX)
def test_article_compiles_with_all_references(report, tmp_path):
    assert "undefined" not in compiled(report.to_latex_document(), tmp_path)
    assert (tmp_path / "article.pdf").stat().st_size > 50_000


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason=NO_LATEX)
def test_articles_of_every_result_compile(results, tmp_path):
    log = compiled(document_of(*results, title="α: all"), tmp_path)
    assert "undefined" not in log
    assert "Dimension too large" not in log
    assert "Missing character" not in log


def test_every_result_is_printed_alone_as_it_is_among_others(results):
    for result in results:
        text = result.to_latex_document()
        assert text.count(r"\bibitem") == len(nn.cite(result).keys) >= 3
        assert text.count(r"\begin{document}") == text.count(r"\end{document}") == 1
        assert r"\formula{" in text
        assert str(result.verdict) in text
        assert result.to_latex().count(r"\toprule") == 1
    assert document_of(*results).count(r"\section{") == len(results)


def test_a_limit_cites_its_kernel(deep, tangents):
    for result in (deep, tangents[1]):
        assert not result.reports
        assert set(nn.cite(*result.formulas).keys) <= set(nn.cite(result).keys)
        assert result.formulas


def test_histograms_hold_the_pulls_of_all_reports(sweep, scanned):
    from matplotlib.figure import Figure

    for result in (sweep, scanned):
        count = sum(report.entries for report in result.reports)
        axes = nm.plot_pulls(result, Figure().subplots())
        (label,) = [t for t in axes.get_legend_handles_labels()[1] if "entries" in t]
        assert label.endswith(f"of {count} entries")


def test_article_says_what_the_report_says(report):
    text = report.to_latex_document(rows=2)
    assert text.count(r"\bibitem") == len(nn.cite(report).keys) > 5
    assert rf"Verdict: {report.verdict}" in text
    assert text.count(r"\formula{") > 6
    assert "<b>" not in text
    assert "R\\&D\\_net" in text
