"""All four-point entries over twenty points through the public tensor: speed and accuracy."""

import time
from itertools import combinations

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.expectation.precise.gram import PreciseGram
from nnft_sym.expectation.precise.moments import precise_moments


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("bias", [0.0, 0.5])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Erf()], ids=["ReLU", "erf"])
def test_twenty_points(activation, bias, d):
    X = np.random.default_rng(d).normal(size=(20, d))
    G4 = nn.cumulant(nn.shallow(activation), 4)
    start = time.process_time()
    tensor = G4.tensor(X, sigma_w=1.0, sigma_b=bias, sigma_v=1.0, N=1)
    assert time.process_time() - start < 5.0
    scale = np.max(np.abs(tensor))
    for row in ((0, 1, 1, 3),):
        with mp.workdps(25):
            x = [[sp.Rational(float(v)) for v in X[a]] for a in row]
            inner = [[sum(u * v for u, v in zip(p, q, strict=True)) for q in x] for p in x]
            K = [[sp.Rational(bias) ** 2 + entry / d for entry in line] for line in inner]
            labels = tuple(row.index(a) for a in row)
            gram = PreciseGram.from_exact(K, labels)
            pairs = list(combinations(range(4), 2))
            rows = [(0, 1, 2, 3), *pairs]
            four, *two = precise_moments(activation.expression, gram, rows)
            exact = 3 * four - (two[0] * two[5] + two[1] * two[4] + two[2] * two[3])
        assert abs(tensor[row] - float(exact)) <= 1e-11 * scale
