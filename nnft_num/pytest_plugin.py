"""The pytest plugin: checks of correlators with seeds, budgets, verdicts and frozen values.

pytest finds it once the package is installed.  Loading it imports nothing but the standard library
and pytest; the workbench itself is imported by the first test that asks for a fixture.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nnft_num.confrontation.checking import Report
    from nnft_num.frozen import Drift

__all__ = ["NNFTCheck", "NNFTFrozen", "NNFTVerdict"]

_PROPERTY = "nnft"
_COLUMNS = ("test", "what", "networks", "worst pull", "lowest resolution", "verdict")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FIXTURES = ("nnft_check",)
_COLOURS = {"agree": {"green": True}, "disagree": {"red": True}, "unresolved": {"yellow": True}}
_FULL = 10**5


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("nnft", "neural-network field theory")
    group.addoption(
        "--nnft-budget",
        type=_budget,
        default="full",
        metavar="quick|full|N",
        help="Networks of each nnft_check: full (as the test says), quick (a tenth), or N",
    )
    group.addoption(
        "--nnft-allow-unresolved",
        action="store_true",
        help="Let checks pass that are unresolved",
    )
    group.addoption(
        "--nnft-freeze",
        action="store_true",
        help="Write what nnft_frozen is given, in place of comparing with it",
    )


def _budget(text: str) -> str | int:
    """Read the budget: a word, or a number of networks."""
    if text in ("quick", "full"):
        return text
    if text.isascii() and text.isdigit() and int(text) >= 100:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"expected quick, full or a number of networks of at least 100; came {text!r}"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "montecarlo(allow_unresolved=False): a statistical check with a fixed seed and a stated "
        "false-alarm rate; every test with nnft_check has it",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that sample, so that ``-m "not montecarlo"`` leaves them out."""
    for item in items:
        wanted = getattr(item, "fixturenames", ())
        if any(name in wanted for name in _FIXTURES) and not item.get_closest_marker("montecarlo"):
            item.add_marker(pytest.mark.montecarlo)


class NNFTVerdict:
    """Judges a report: ``disagree`` fails the test, ``unresolved`` fails it unless allowed.

    Parameters
    ----------
    request : pytest.FixtureRequest
        The test.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._node = request.node
        self._config = request.config

    def __call__(self, report: Any, *, allow_unresolved: bool | None = None) -> Any:
        """Judge anything with a ``verdict`` and a text; return it.

        Parameters
        ----------
        report : Report, Sweep or other
            From nm.check, nm.check_fields, nm.check_ntk, nm.sweep, ...
        allow_unresolved : bool, optional
            Whether ``unresolved`` passes; else the marker
            ``montecarlo(allow_unresolved=True)`` or the option ``--nnft-allow-unresolved`` say so.
        """
        __tracebackhide__ = True
        verdict = str(report.verdict)
        self.note(_summary(report), verdict)
        if verdict == "disagree":
            pytest.fail(_long(report))
        if verdict == "unresolved" and not self._allowed(allow_unresolved):
            pytest.fail(
                f"{_long(report)}\nunresolved is no agreement: use more networks (networks=, "
                "--nnft-budget), or allow it (allow_unresolved=True)"
            )
        return report

    def _allowed(self, own: bool | None) -> bool:
        if own is not None:
            return own
        for marker in self._node.iter_markers("montecarlo"):
            if "allow_unresolved" in marker.kwargs:
                return bool(marker.kwargs["allow_unresolved"])
        return bool(self._config.getoption("--nnft-allow-unresolved"))

    def note(self, cells: Iterable[str], verdict: str) -> None:
        """Keep a line of the summary with the test: workers send it with its report."""
        number = sum(name == _PROPERTY for name, _ in self._node.user_properties)
        line = json.dumps([number, *cells, verdict])
        self._node.user_properties.append((_PROPERTY, line))


class NNFTCheck:
    """Confronts theory with a sample; the seed is made from the name of the test.

    Parameters
    ----------
    request : pytest.FixtureRequest
        The test.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._judge = NNFTVerdict(request)
        self._budget: str | int = request.config.getoption("--nnft-budget")
        self._name = _test_name(request.node)
        self._calls = 0

    def networks(self, asked: int = _FULL) -> int:
        """Networks within the budget, for a test that says ``asked``."""
        if isinstance(self._budget, int):
            return self._budget
        return max(100, asked // 10) if self._budget == "quick" else asked

    def seed(self) -> int:
        """Seed of this check: the same in every run, another for every test and check in it."""
        text = f"{self._name}#{self._calls}"
        self._calls += 1
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])

    def __call__(
        self,
        theory: Any,
        X: Any,
        orders: int | Iterable[int] = (2, 4),
        networks: int = _FULL,
        rng: Any = None,
        *,
        sampled: Any = None,
        fields: Any = None,
        allow_unresolved: bool | None = None,
        level: float = 0.01,
        resolution: float = 5.0,
        **keywords: Any,
    ) -> Report:
        """Confront and judge; return the report.

        Parameters
        ----------
        theory : Network, Correlator or iterable of Correlator
            A network is confronted in ``orders``; correlators in their own.
        X : array_like, shape (n, d)
            Points.
        orders, networks, rng
            As in :func:`nnft_num.check`; the budget scales ``networks``, and ``rng`` is made
            from the name of the test if not given.
        sampled : Network, optional
            What to sample, if not the network of the theory.
        fields : array_like, path or Estimate, optional
            Fields from elsewhere in place of a sample, as in :func:`nnft_num.check_fields`.
        allow_unresolved : bool, optional
            Whether ``unresolved`` passes.
        level, resolution, **keywords
            As in :func:`nnft_num.check`: parameters of the network, route, executor, ...
        """
        __tracebackhide__ = True
        import nnft_num as nm
        import nnft_sym as nn

        asked: dict[str, Any] = {"level": level, "resolution": resolution}
        if isinstance(theory, nn.Network) and sampled is None and fields is None:
            seed = self.seed() if rng is None else rng
            report = nm.check(theory, X, orders, self.networks(networks), seed, **asked, **keywords)
        else:
            theory = self._correlators(theory, orders)
            sampling, own = _split(nm.correlators, keywords)
            if fields is None:
                source = theory[0].networks[0] if sampled is None else sampled
                seed = self.seed() if rng is None else rng
                wanted = tuple(correlator.order for correlator in theory)
                fields = nm.correlators(
                    source, X, wanted, self.networks(networks), seed, **sampling, **own
                )
            report = nm.check_fields(theory, fields, X, **asked, **own)
        return self._judge(report, allow_unresolved=allow_unresolved)

    @staticmethod
    def _correlators(theory: Any, orders: int | Iterable[int]) -> list[Any]:
        import nnft_sym as nn

        if isinstance(theory, nn.Network):
            listed = orders if isinstance(orders, Iterable) else (orders,)
            return [nn.cumulant(theory, order) for order in listed]
        return list(theory) if isinstance(theory, Iterable) else [theory]


class NNFTFrozen:
    """Compares estimates and theory with what they once were.

    Parameters
    ----------
    request : pytest.FixtureRequest
        The test; files are in the directory ``frozen`` beside it.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._judge = NNFTVerdict(request)
        self._write = bool(request.config.getoption("--nnft-freeze"))
        self._folder = request.path.parent / "frozen"
        self._name = _test_name(request.node)

    def __call__(
        self,
        what: Any,
        name: str,
        X: Any = None,
        *,
        allow_unresolved: bool | None = None,
        level: float = 0.01,
        **values: Any,
    ) -> Report | Drift | None:
        """Compare with ``frozen/<name>.json``, or write it under ``--nnft-freeze``.

        Parameters
        ----------
        what : Estimate, Correlator or its evaluation
            A correlator is evaluated at ``X`` with the parameters ``values``.
        name : str
            Name of the file.
        X : array_like, shape (n, d)
            Points of a correlator.
        allow_unresolved : bool, optional
            Whether ``unresolved`` passes.
        level : float
            α: probability, at most, that estimates of the same law disagree.

        Returns
        -------
        Report for estimates, Drift for theory, None if it was written.
        """
        __tracebackhide__ = True
        from nnft_num.frozen import compare, freeze, read_frozen, write_frozen
        from nnft_sym.correlators import Correlator
        from nnft_sym.language.errors import SpecificationError

        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SpecificationError(
                expected="a name of letters, digits, '_', '-' and '.'",
                came=f"{name!r}",
                remedy="name it after what is frozen",
            )
        if isinstance(what, Correlator):
            what = what.evaluate(X, params=values)
        path = self._folder / f"{name}.json"
        if self._write:
            frozen = freeze(what, self._name)
            write_frozen(frozen, path)
            self._judge.note((f"{path.name}", str(frozen.networks or ""), "", ""), "frozen")
            return None
        if not path.exists():
            pytest.fail(f"nothing is frozen in {path}: run once with --nnft-freeze, and keep it")
        compared = compare(read_frozen(path), what, level=level)
        self._judge(compared, allow_unresolved=allow_unresolved)
        return compared


@pytest.fixture
def nnft_check(request: pytest.FixtureRequest) -> NNFTCheck:
    """Confront theory with a sample: ``nnft_check(net, X, orders=(2, 4), **params)``."""
    return NNFTCheck(request)


@pytest.fixture
def nnft_verdict(request: pytest.FixtureRequest) -> NNFTVerdict:
    """Judge a report of any kind: ``nnft_verdict(nm.sweep(...))``."""
    return NNFTVerdict(request)


@pytest.fixture
def nnft_frozen(request: pytest.FixtureRequest) -> NNFTFrozen:
    """Compare with what was frozen: ``nnft_frozen(estimate, "name")``."""
    return NNFTFrozen(request)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the verdicts of all tests, those of other workers too."""
    lines = list(_lines(terminalreporter.stats))
    if not lines:
        return
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *lines, strict=True)]
    terminalreporter.write_sep("=", "nnft verdicts")
    for cells in (_COLUMNS, *lines):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        terminalreporter.write_line("  ".join(padded).rstrip(), **_COLOURS.get(cells[-1], {}))


def _lines(stats: dict[str, list[Any]]) -> Iterator[tuple[str, ...]]:
    """Cells of each check once, whichever phases of its test reported it."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for report in (report for reports in stats.values() for report in reports):
        for name, line in getattr(report, "user_properties", ()):
            if name == _PROPERTY:
                number, *cells = json.loads(line)
                found[report.nodeid, number] = (report.nodeid, *cells)
    for key in sorted(found):
        yield found[key]


def _test_name(node: Any) -> str:
    """File and name of a test, whatever distributes the tests."""
    file, _, name = node.location
    return f"{file}::{name}".replace("\\", "/")


def _split(function: Any, keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of a function, and the parameters of the network."""
    known = set(inspect.signature(function).parameters) - {"params"}
    options = {name: value for name, value in keywords.items() if name in known}
    return options, {name: value for name, value in keywords.items() if name not in known}


def _long(report: Any) -> str:
    """Text of a report, with its worst entries where it has them."""
    return str(report.to_text(entries=5)) if hasattr(report, "to_text") else str(report)


def _summary(report: Any) -> tuple[str, str, str, str]:
    """What, networks, worst pull and lowest resolution of a report, each if it has it."""
    from nnft_num.confrontation.order_reports import OrderReport
    from nnft_num.frozen import Drift
    from nnft_num.reporting import reports

    if isinstance(report, Drift):
        what = f"frozen theory, order {report.order}"
        return what, "", f"{report.pull:.2g} of 1", f"{report.resolution:.3g} of 5"
    what = str(getattr(report, "network", type(report).__name__))
    orders = [order for order in getattr(report, "orders", ()) if isinstance(order, OrderReport)]
    if not orders:
        return what, "", "", ""
    what += f", order {','.join(str(order.order) for order in orders)}"
    pulls = [
        (float(order.pull.entries[order.worst]), float(order.limit.entries[order.worst]))
        for order in orders
        if order.worst is not None
    ]
    resolutions = [
        (
            float(order.resolution.entries[order.weakest]),
            float(order.required.entries[order.weakest]),
        )
        for order in orders
        if order.weakest is not None
    ]
    worst = max(pulls, key=lambda pair: abs(pair[0]) / pair[1], default=None)
    weakest = min(resolutions, key=lambda pair: pair[0] / pair[1], default=None)
    return (
        what,
        f"{report.networks:.6g}",
        "unknown" if worst is None else reports.limited(*worst),
        "unknown" if weakest is None else reports.at_least(*weakest),
    )
