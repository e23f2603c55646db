"""Diagrams against counted Wick contractions, plain einsum and zero-dimensional field theory."""

from collections import Counter
from fractions import Fraction
from itertools import permutations
from math import factorial, prod

import numpy as np
import pytest
import sympy as sp

from nnft_sym.combinatorics import pairings
from nnft_sym.diagrams.amplitude import Amplitude
from nnft_sym.diagrams.contraction import Contraction, symmetric_power, symmetric_product
from nnft_sym.diagrams.diagram import Diagram, Vertex
from nnft_sym.diagrams.enumeration import connected_diagrams, diagrams_of_order
from nnft_sym.diagrams.rules import CORRELATORS_FROM_COUPLINGS, COUPLINGS_FROM_CUMULANTS
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor, multi_indices

CUMULANTS = frozenset(Vertex(k, k - 2) for k in range(3, 7))


def vertices(valences):
    return tuple(Vertex(k, max(1, k - 2)) for k in valences)


def moment(power):
    """<x^n> of a standard normal."""
    return 0 if power % 2 else factorial(power) // (2 ** (power // 2) * factorial(power // 2))


def weights_by_logarithm(valences, legs):
    """Sum of 1/|Aut| from log of a one-dimensional integral, without any diagram."""
    kinds = sorted(set(valences))
    counts = Counter(valences)
    marks = {k: sp.Symbol(f"t{k}") for k in kinds}
    source = sp.Symbol("J")
    total = sp.Integer(0)
    ranges = [range(counts[k] + 1) for k in kinds]
    for numbers in np.ndindex(*[len(r) for r in ranges]):
        for external in range(legs + 1):
            power = external + sum(n * k for n, k in zip(numbers, kinds, strict=True))
            term = sp.Integer(moment(power)) * source**external / factorial(external)
            for n, k in zip(numbers, kinds, strict=True):
                term *= marks[k] ** n / (factorial(k) ** n * factorial(n))
            total += term
    variables = [*marks.values(), source]
    scale = sp.Symbol("e")
    scaled = total.subs({v: scale * v for v in variables}, simultaneous=True)
    degree = len(valences) + legs
    shifted = sp.expand(scaled - 1)
    logarithm, power = sp.Integer(0), sp.Integer(1)
    for j in range(1, degree + 1):
        power = sp.expand(power * shifted)
        power = sum(power.coeff(scale, d) * scale**d for d in range(degree + 1))
        logarithm += sp.Rational((-1) ** (j + 1), j) * power
    polynomial = sp.Poly(sp.expand(logarithm).coeff(scale, degree), *variables)
    return polynomial.coeff_monomial(sp.Mul(*(marks[k] ** counts[k] for k in kinds)) * source**legs)


@pytest.mark.parametrize("valences", [(4,), (6,), (4, 4), (3, 3), (3, 4), (3, 3, 4)], ids=str)
@pytest.mark.parametrize("legs", [0, 1, 2, 4])
def test_weights_add_up_to_the_logarithm_of_an_integral(valences, legs):
    # J joins to a vertex by one line: a leg.  The free line J-J has no vertex.
    diagrams = connected_diagrams(vertices(valences), legs)
    found = sum((d.weight for d in diagrams), Fraction(0))
    assert found == Fraction(str(weights_by_logarithm(valences, legs)))


def canonical(kinds, ends, lines):
    """Smallest relabelling: brute force over all orders of the vertices."""
    best = None
    for order in permutations(range(len(kinds))):
        key = (
            tuple(kinds[v] for v in order),
            tuple(ends[v] for v in order),
            tuple(tuple(lines[v][w] for w in order) for v in order),
        )
        best = key if best is None or key < best else best
    return best


@pytest.mark.parametrize(
    ("valences", "legs"), [((4,), 2), ((4, 4), 2), ((3, 3), 4), ((3, 3, 4), 0)]
)
def test_symmetry_factors_count_wick_contractions(valences, legs):
    owners = [v for v, k in enumerate(valences) for _ in range(k)]
    outside = len(valences)
    owners += [outside] * legs
    counted = Counter()
    for pairing in pairings(len(owners)):
        ends = [0] * len(valences)
        lines = [[0] * len(valences) for _ in valences]
        free = False
        for a, b in pairing:
            v, w = sorted((owners[a], owners[b]))
            if v == outside:
                free = True
            elif w == outside:
                ends[v] += 1
            elif v == w:
                lines[v][v] += 1
            else:
                lines[v][w] += 1
                lines[w][v] += 1
        if not free:
            counted[canonical(valences, ends, lines)] += 1
    diagrams = connected_diagrams(vertices(valences), legs)
    # |Aut| = (ways to relabel slots, vertices and legs) / (contractions giving the diagram)
    relabelled = prod(map(factorial, valences)) * factorial(legs)
    relabelled *= prod(map(factorial, Counter(valences).values()))
    found = {}
    for diagram in diagrams:
        key = canonical([v.valence for v in diagram.vertices], diagram.legs, diagram.lines)
        found[key] = Fraction(relabelled, diagram.symmetry_factor)
    connected = {key: n for key, n in counted.items() if key in found}
    assert found == connected
    assert len(found) == len(diagrams)


def test_textbook_symmetry_factors():
    quartic = Vertex(4, 2)
    figure_eight = connected_diagrams((quartic,), 0)[0]
    assert figure_eight.symmetry_factor == 8
    two = connected_diagrams((quartic, quartic), 0)
    assert sorted(d.symmetry_factor for d in two) == [16, 48]
    cubic = Vertex(3, 1)
    assert sorted(d.symmetry_factor for d in connected_diagrams((cubic, cubic), 0)) == [8, 12]
    tetrahedron = [d for d in connected_diagrams((cubic,) * 4, 0) if d.symmetry_factor == 24]
    assert len(tetrahedron) == 1
    assert tetrahedron[0].loops == 3


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_no_diagram_comes_twice_and_none_exceeds_the_degree(order):
    for legs in range(order + 3):
        found = diagrams_of_order(CUMULANTS, order, legs)
        for number, diagram in enumerate(found):
            assert diagram.order == order
            assert diagram.external == legs
            assert not any(diagram.is_isomorphic(other) for other in found[:number])
    for legs in range(order + 3, 3 * order + 4):
        assert diagrams_of_order(CUMULANTS, order, legs) == ()


def by_einsum(diagram, dense, line):
    """n!/|Aut| times the symmetrised contraction, one letter for each slot."""
    letters = iter(range(52))
    slots = [[next(letters) for _ in range(v.valence)] for v in diagram.vertices]
    operands = []
    for vertex, own in zip(diagram.vertices, slots, strict=True):
        operands += [dense[vertex], own]
    free = [list(own) for own in slots]
    outer = [free[v].pop() for v, count in enumerate(diagram.legs) for _ in range(count)]
    for v, row in enumerate(diagram.lines):
        for w in range(v, len(row)):
            for _ in range(row[w]):
                operands += [line, [free[v].pop(), free[w].pop()]]
    value = np.einsum(*operands, outer, optimize=True)
    n = value.ndim
    total = sum(np.transpose(value, p) for p in permutations(range(n)))
    return total / diagram.symmetry_factor


@pytest.mark.parametrize("with_line", [False, True])
def test_contractions_agree_with_plain_einsum(with_line):
    m, rng = 2, np.random.default_rng(3)
    tensors = {
        v: SymmetricTensor(v.valence, m, rng.normal(size=len(multi_indices(v.valence, m))))
        for v in CUMULANTS
    }
    line = rng.normal(size=(m, m))
    line = line + line.T if with_line else np.eye(m)
    rules = Contraction(tensors=tensors, line=line if with_line else None)
    dense = {v: np.array(t.dense) for v, t in tensors.items()}
    for order in (1, 2, 3, 4):
        for legs in range(order + 3):
            for diagram in diagrams_of_order(CUMULANTS, order, legs):
                expected = by_einsum(diagram, dense, line)
                np.testing.assert_allclose(
                    rules.value(diagram).dense, expected, rtol=1e-11, atol=1e-11
                )


def test_symmetric_powers_and_products():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3, 3))
    tensor = SymmetricTensor(3, 3, rng.normal(size=10))
    for rows in (matrix, rng.normal(size=(5, 3)), rng.normal(size=(2, 3))):
        direct = np.einsum("abc,ia,jb,kc->ijk", tensor.dense, rows, rows, rows)
        np.testing.assert_allclose(tensor.transform(rows).dense, direct, atol=1e-13)
    np.testing.assert_allclose(
        symmetric_power(matrix, 3) @ tensor.entries, tensor.transform(matrix).entries, atol=1e-13
    )
    other = SymmetricTensor(2, 3, rng.normal(size=6))
    f = rng.normal(size=3)
    product = symmetric_product([tensor, other]).contract(f, times=5).entries[0] / 120
    factors = tensor.contract(f, times=3).entries[0] / 6 * other.contract(f, times=2).entries[0] / 2
    assert product == pytest.approx(factors, rel=1e-12)


@pytest.mark.parametrize("rules", [COUPLINGS_FROM_CUMULANTS, CORRELATORS_FROM_COUPLINGS])
def test_every_diagram_can_be_printed_and_drawn(rules):
    for legs in (0, 2, 4, 6):
        for diagram in diagrams_of_order(frozenset({Vertex(4, 2), Vertex(6, 4)}), 4, legs):
            amplitude = Amplitude(diagram=diagram, rules=rules)
            tikz = amplitude.tikz()
            assert tikz.count(r"\propag") == diagram.internal + diagram.external
            assert tikz.count(r"\vertex") == len(diagram.vertices) + diagram.external
            assert tikz.count("{") == tikz.count("}")
            text = amplitude.latex()
            assert text.count("{") == text.count("}")
            arguments = {s.name for s in amplitude.expression.free_symbols}
            assert {name for name in arguments if name.startswith("x")} == {
                f"x_{a + 1}" for a in range(legs)
            }
            assert amplitude.labellings * diagram.symmetry_factor == (
                factorial(legs) * diagram.labelled_symmetry_factor
            )
    assert amplitude._repr_png_().startswith(b"\x89PNG")
    assert "data:image/png;base64" in amplitude._repr_html_()


def test_impossible_diagrams_are_refused():
    quartic = Vertex(4, 2)
    with pytest.raises(SpecificationError, match="slots"):
        Diagram(vertices=(quartic,), legs=(3,), lines=((0,),))
    with pytest.raises(SpecificationError, match="connected"):
        Diagram(vertices=(quartic, quartic), legs=(4, 4), lines=((0, 0), (0, 0)))
    with pytest.raises(SpecificationError, match="symmetric"):
        Diagram(vertices=(quartic, quartic), legs=(3, 3), lines=((0, 1), (0, 0)))
    with pytest.raises(SpecificationError, match="order"):
        Vertex(4, 0)
