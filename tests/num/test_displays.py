"""What records show in notebooks: every public record has a display, and it is golden.

The files are rewritten with ``python -m tests.num.test_displays``; look at the difference.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.confrontation.amplitudes import Amplitude
from nnft_num.confrontation.fits import fit_intercept, fit_slope
from nnft_num.confrontation.scans import Scan
from nnft_num.tangents.sweeps import Bias
from tests.num.synthetic import order_report, report

MATH = re.compile("<math.*?</math>", re.DOTALL)
GOLDEN = Path(__file__).parent / "golden" / "display"
IMAGE = re.compile('(?<=base64,)[^"]*')
FORMATS = {
    "txt": repr,
    "html": lambda record: IMAGE.sub("", MATH.sub("<math/>", record._repr_html_())),
    "tex": lambda record: record._repr_latex_(),
}
"""Formulas are compared as LaTeX; how MathML spells them is the converter's affair.

Drawings are those of the library that draws them.
"""

NUMERICAL = {
    "ActionReport",
    "CouplingEstimate",
    "Evaluation",
    "GroupElement",
    "KernelMatrices",
    "LocalFit",
    "LocalFlow",
    "MehlerSeries",
    "OrderDefect",
    "Parameters",
    "Plan",
    "Provenance",
    "Source",
    "SymmetryReport",
    "TangentEstimate",
    "TangentSweep",
    "Trained",
}
"""Records with hashes, or rounding of the machine: looked at, not compared by letter."""


@cache
def examples():
    """One of each public record; numbers that are compared are made, not sampled."""
    X, params = np.array([[0.0], [1.0]]), {"N": 2, "sigma_w": 1.0, "sigma_v": 1.0}
    cos = nn.cos_net()
    second = order_report([2.0, 1.0, 1.5], [2.0, 0.8, 1.5], [0.05] * 3, order=2)
    fourth = order_report([1.0] * 5, [1.5, 1, 1, 1, 1], [0.5, 0.1, 0.1, 0.1, 0.1])
    formula = nn.kernel(cos)
    both = report(dataclasses.replace(second, formula=formula), fourth)
    criterion = both.criterion
    points = [
        Amplitude(width=N, value=3.3 / N**1.02, error=0.1 / N, freedom=127, theory=3 / N)
        for N in (1, 2, 4)
    ]
    slope = nm.Slope(
        order=4,
        what="|G4|",
        amplitudes=tuple(points),
        claimed=-1.0,
        fit=fit_slope(points, resolution=5),
        criterion=criterion,
        intercept=fit_intercept(points, resolution=5),
    )
    fields = np.round(np.sin(np.arange(4000.0) ** 2).reshape(-1, 2), 6)
    estimate = nm.estimate(fields, orders=(2, 4))
    sampled = nm.correlators(cos, X, networks=256, rng=0, params=params)
    tangent = nm.tangent(cos, X, networks=256, rng=0, params=params)
    bias = Bias(
        widths=(2, 4),
        values=(-0.3, -0.16),
        errors=(0.01, 0.01),
        coefficient=-0.62,
        error=0.03,
        resolution=5.0,
    )
    whole = nm.ChiSquare(
        order=4,
        value=9.5,
        rank=5,
        present=5,
        entries=15,
        unknown=0,
        freedom=127,
        resolution=40.0,
        level=0.01,
        required=5.0,
    )
    tangent_order = nm.TangentReport(
        **{f.name: getattr(second, f.name) for f in dataclasses.fields(second)}
    )
    action = nn.action(cos, order=2)
    at = nn.action_from_cumulants({2: [[1.0, 0.5], [0.5, 2.0]], 4: np.full((2,) * 4, 0.1)})
    one = {"N": 2, "sigma_w": 1.0, "sigma_v": 1.0}
    acted = nm.check_action(cos, [0.0], networks=4096, rng=0, params=one)
    flat = dict(sigma_w=1.0, sigma_b=0.0, sigma_v=1.0, N=2)
    scales = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0)
    cyclic = nn.Zn(3)
    regular = nn.regular(cyclic)
    uniform = nn.shallow(nn.Tanh(), readout=nn.Uniform(-1, 1), outputs=2)
    plane = np.array([[0.3, 0.8], [1.0, -0.5]])
    tested = nm.symmetry_test(nn.erf_net(), nn.SO(2), plane, networks=640, rng=0, N=4, **scales)
    training = nm.Training(data=(plane, [1.0, -1.0]), optimiser=nm.GD(0.5), steps=4)
    trained = nm.train(
        nn.erf_net(), training.data, optimiser=nm.GD(0.5), steps=4, times=(0, 4), networks=20,
        rng=0, keep_parameters=True, N=4, **scales,
    )  # fmt: skip
    found = [
        nn.symmetry(uniform, nn.SO(2), on="output"),
        nn.invariance_defect(uniform, nn.SO(2), 4, on="output"),
        nn.Deformed.example(),
        nn.Unspecified.example(),
        tested,
        tested[2],
        tested.elements[0],
        training,
        trained,
        trained.parameters,
        nm.GD(0.5),
        nm.SGD(0.5, batch=32),
        nm.Adam(0.01),
        nm.Images(X=np.eye(4)[:3], labels=np.array([0, 1, 1]), classes=2),
        cyclic,
        regular,
        cyclic.finite[0],
        nn.SO(2).fields[0],
        nn.equivariant_basis(regular, regular),
        nn.EquivariantNetwork(
            rho_in=regular, rho_hidden=regular, rho_out=regular, activation=nn.ReLU()
        ),
        nn.invariant_densities(cyclic, regular, degree=2),
        nn.preserves(nn.ReLU(), regular),
        nn.symmetry_group([nn.Gaussian(0, 1), nn.Gaussian(0, 1)]),
        action,
        at,
        acted,
        action.couplings[6].amplitudes[0],
        action.couplings[6].amplitudes[0].diagram,
        nm.couplings(estimate),
        nm.local_fit(nn.relu_net(), [0.5, 1.0], 2.0, networks=100_000, rng=0, params=flat),
        nm.local_flow(
            nn.relu_net(), [0.5], [2.0, 4.0], networks=10_000, rng=0, route="readout", params=flat
        ),
        nn.Erf(),
        nn.Ball(2, 1),
        nn.Gaussian(0, "sigma_w"),
        nn.Laplace(0, 1),
        nn.Rademacher(),
        nn.Sphere(3, "r"),
        nn.Uniform(-1, 1),
        nn.cite("W96, H92"),
        formula,
        nn.criticality(nn.ReLU()),
        formula.exactness,
        nn.fixed_points("max(z, 0)", 1.0, 0.5),
        nn.kernel_matrices(nn.mlp(nn.ReLU(), depth=2), [[1.0], [2.0]], sigma_w=1, sigma_b=0),
        nn.MehlerSeries.of("tanh(z)", [1.0], terms=8),
        nn.mlp(nn.Erf(), depth=2, widths=("n", 3)),
        nn.activation_table(["erf(z)", "max(z, 0)"]),
        nn.SymmetricTensor(2, 2, [1.0, 0.5, 2.0]),
        nn.kernel(nn.erf_net()).evaluate([0.0], sigma_w=1, sigma_b=0, sigma_v=1),
        both,
        second,
        tangent_order,
        criterion,
        whole,
        estimate,
        estimate[2],
        compile_plan(cos),
        sampled.provenance,
        sampled.provenance.source,
        slope,
        nm.Sweep(
            network="Erf-net",
            widths=(1, 2, 4),
            reports=(both,),
            slopes=(slope,),
            criterion=criterion,
        ),
        Scan(
            network="Erf-net",
            axes={"sigma_w": (1.0,), "N": (3.0,)},
            reports=(both,),
            criterion=criterion,
        ),
        tangent,
        nm.TangentSweep(
            network="Erf-net",
            parametrisation="ntk",
            widths=(2, 4),
            estimates=(tangent,),
            reports=(),
            deviation=slope,
            bias=bias,
            variance=None,
            criterion=criterion,
        ),
    ]
    return {type(record).__name__: record for record in found}


def public_records():
    for package in (nn, nm):
        for name in package.__all__:
            item = getattr(package, name)
            if isinstance(item, type) and dataclasses.is_dataclass(item) and name != "Density":
                yield name


@pytest.mark.parametrize("name", sorted(public_records()))
def test_every_public_record_has_a_display(name):
    assert name in examples(), f"{name}: add an example"
    record = examples()[name]
    assert type(record).__repr__ is not object.__repr__
    assert "\n" not in repr(record)
    assert len(repr(record)) < 400
    assert record._repr_latex_().strip()
    parser = Balanced()
    parser.feed(record._repr_html_())
    parser.close()
    assert not parser.open, parser.open


class Balanced(HTMLParser):
    """Tags that were opened and not closed."""

    def __init__(self, void=()):
        super().__init__()
        self.open, self.void = [], void

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def golden():
    return sorted(set(examples()) - NUMERICAL)


@pytest.mark.parametrize("kind", FORMATS)
def test_displays_are_golden(kind):
    for name in golden():
        path = GOLDEN / f"{name}.{kind}"
        assert FORMATS[kind](examples()[name]) + "\n" == path.read_text("utf-8"), path.name


def test_verdicts_have_a_sign_and_a_word_beside_their_colour():
    page = examples()["Report"]._repr_html_()
    for sign, word in (("✗", "disagree"), ("?", "unresolved")):
        assert f"{sign} {word}" in page


def test_a_density_of_the_users_own_shows_itself():
    class Cauchy(nn.Uniform):
        """Named differently."""

    assert "Cauchy" in Cauchy(-1, 1)._repr_html_()


def test_hostile_names_are_escaped():
    hostile = dataclasses.replace(examples()["Report"], network="<script>alert(1)</script>")
    for page in (hostile._repr_html_(), hostile.to_html()):
        assert "<script" not in page
    net = nn.shallow("z", name="<script>x</script>")
    assert "<script" not in net._repr_html_() + nn.kernel(net)._repr_html_()


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in golden():
        for kind, show in FORMATS.items():
            (GOLDEN / f"{name}.{kind}").write_text(show(examples()[name]) + "\n", "utf-8")
