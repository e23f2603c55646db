"""Couplings at two points from derivatives of the Gaussian alone, in exact arithmetic."""

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.tensors import SymmetricTensor, multi_indices

ORDER = 4
"""Highest power of N^{-1/2}."""


def rational_cumulants(orders, seed):
    rng = np.random.default_rng(seed)
    found = {2: SymmetricTensor(2, 2, np.array([sp.Rational(3, 2), sp.Rational(2, 5), 1]))}
    for k in orders:
        entries = [sp.Rational(int(v), 12) for v in rng.integers(-9, 10, k + 1)]
        found[k] = SymmetricTensor(k, 2, np.array(entries))
    return found


def minus_log_ratio(kappa):
    """-log(P/φ) by powers of N^{-1/2}: P = exp(sum_k κ_k (-∂)^k/k!) φ, φ of covariance G."""
    ring, x, y = sp.ring(["x", "y"], sp.QQ)
    inverse = sp.Matrix(2, 2, list(kappa[2].dense.reshape(-1))).inv()
    P = [[sp.QQ.from_sympy(inverse[a, b]) for b in range(2)] for a in range(2)]
    pulled = [P[a][0] * x + P[a][1] * y for a in range(2)]

    def down(polynomial, a):
        """-∂_a of a polynomial times φ, over φ."""
        return pulled[a] * polynomial - polynomial.diff((x, y)[a])

    def applied(k, polynomial):
        total, dense = ring(0), kappa[k].dense
        for index in product(range(2), repeat=k):
            if dense[index] == 0 or list(index) != sorted(index):
                continue
            term = polynomial
            for a in index:
                term = down(term, a)
            ones = sum(index)
            count = factorial(k) // factorial(ones) // factorial(k - ones)
            total += term * sp.QQ.from_sympy(dense[index] * count / factorial(k))
        return total

    ratio, log = [ring(1)], [ring(0)]
    for p in range(1, ORDER + 1):
        terms = (applied(q + 2, ratio[p - q]) * q for q in range(1, p + 1) if q + 2 in kappa)
        ratio.append(sum(terms, ring(0)).quo_ground(p))
        inner = sum((log[q] * ratio[p - q] * q for q in range(1, p)), ring(0))
        log.append(ratio[p] - inner.quo_ground(p))
    return [-term for term in log]


@pytest.mark.parametrize("orders", [(4, 6), (3, 4, 5, 6)], ids=["even", "with odd"])
def test_two_point_couplings_from_derivatives_of_the_gaussian(orders):
    kappa = rational_cumulants(orders, seed=len(orders))
    S = nn.action_from_cumulants(kappa)
    expected = minus_log_ratio(kappa)
    for p in range(1, ORDER + 1):
        assert max((sum(m) for m in expected[p]), default=0) <= p + 2
        for k in range(p + 3):
            tensor = S.by_order.get((k, Fraction(p, 2)))
            for position, index in enumerate(multi_indices(k, 2)):
                ones = int(np.sum(index))
                coefficient = expected[p].get((k - ones, ones), sp.QQ(0))
                derivative = coefficient * factorial(ones) * factorial(k - ones)
                found = 0 if tensor is None else tensor.entries[position]
                assert sp.QQ.to_sympy(derivative) == found, (p, k, index)
