from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nnft_num.kernels.draws import key_from_rng, normals, philox, uniforms
from nnft_num.plans.plan import Plan
from nnft_num.runs.sampling import sample_fields
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import data, dense, scalar

# Random123, kat_vectors, philox 4x32 with 10 rounds: counter, key, answer
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> list[np.uint64]:
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, answer):
    assert philox(*words(counter), *words(key)) == tuple(words(answer))


def test_draws_follow_the_stated_addresses():
    key, network, parameter, primitive = (7, 9), 2**32 + 5, 3, 11
    block = 2
    r = philox(*map(np.uint64, (block, parameter << 24 | primitive, 5, 1, *key)))
    u = (np.array(r, dtype=float) + 0.5) / 2**32
    radius = np.sqrt(-2 * np.log(u[[0, 0, 2, 2]]))
    angle = 2 * np.pi * u[[1, 1, 3, 3]]
    expected = radius * np.array(
        [np.cos(angle[0]), np.sin(angle[1]), np.cos(angle[2]), np.sin(angle[3])]
    )
    four = slice(4 * block, 4 * block + 4)
    assert np.array_equal(uniforms(key, network, parameter, primitive, 12)[four], u)
    drawn = normals(key, network, parameter, primitive, 12)[four]
    np.testing.assert_allclose(drawn, expected, rtol=1e-14, atol=1e-15)


def test_a_shorter_sequence_is_the_beginning_of_a_longer_one():
    assert np.array_equal(normals((1, 2), 3, 4, 5, 10), normals((1, 2), 3, 4, 5, 1003)[:10])
    assert uniforms((1, 2), 3, 4, 5, 0).shape == (0,)


@pytest.mark.parametrize("change", range(5))
def test_every_part_of_the_address_matters(change):
    address = [3, 2, 1, 4, 5]
    first = uniforms(tuple(address[:2]), *address[2:], 8)
    address[change] += 1
    assert not np.isin(uniforms(tuple(address[:2]), *address[2:], 8), first).any()


@pytest.mark.montecarlo
def test_laws_of_the_draws():
    # four Kolmogorov-Smirnov tests at fixed seeds; each p falls below 1e-3 one time in a thousand
    u, n = uniforms((0, 1), 0, 0, 0, 40_000), normals((0, 1), 0, 0, 1, 40_000)
    over_networks = np.array([normals((0, 1), network, 0, 1, 1)[0] for network in range(4000)])
    over_primitives = np.array([uniforms((0, 1), 0, 0, p, 1)[0] for p in range(4000)])
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.kstest(n, "norm").pvalue > 1e-3
    assert stats.kstest(over_networks, "norm").pvalue > 1e-3
    assert stats.kstest(over_primitives, "uniform").pvalue > 1e-3
    pairs = np.corrcoef(n.reshape(-1, 4).T) - np.eye(4)
    assert np.abs(pairs).max() < 4.5 / np.sqrt(10_000)


@pytest.mark.montecarlo
def test_variances_of_the_draws():
    """A million draws each: a scale wrong by 2 % is 28 standard errors away, 5 are allowed."""
    count = 10**6
    one, readout = scalar("1", normals=0), scalar("g_1")
    plan = Plan.from_dict(
        data("", [dense("z", weight=one, bias=None, width="1")], weights=[readout])
    )
    samples = {
        "normals": normals((3, 4), 0, 0, 1, count),
        "fields": sample_fields(plan, [1.0], count, (3, 4), {}).ravel(),
    }
    for name, drawn in samples.items():
        assert abs(np.mean(drawn**2) - 1) < 5 * np.sqrt(2 / count), name
        assert abs(np.mean(drawn)) < 5 / np.sqrt(count), name
    u = uniforms((3, 4), 0, 0, 2, count)
    assert abs(np.mean((u - 0.5) ** 2) - 1 / 12) < 5 * np.sqrt(1 / 180 / count)


def test_the_key_follows_spec_7():
    seed = np.random.SeedSequence(5)
    assert key_from_rng(5) == key_from_rng(seed) == key_from_rng(np.int64(5))
    assert key_from_rng(5) != key_from_rng(6)
    assert key_from_rng(None) != key_from_rng(None)
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    first = key_from_rng(one)
    assert first == key_from_rng(two)
    assert key_from_rng(one) != first, "a Generator moves on when it is read"
    assert all(0 <= word < 2**32 for word in first)


@pytest.mark.parametrize(
    "rng",
    [np.random.RandomState(0), np.random, -1, 1.5, True, "seed", [1, 2]],
    ids=lambda rng: type(rng).__name__,
)
def test_other_sources_of_randomness_are_refused(rng):
    with pytest.raises(SpecificationError, match=r"seed|SeedSequence"):
        key_from_rng(rng)


@pytest.mark.parametrize(
    "address",
    [
        ((0, 2**32), 0, 0, 0, 1),
        ((0, 0), 2**64, 0, 0, 1),
        ((0, 0), -1, 0, 0, 1),
        ((0, 0), 0, 256, 0, 1),
        ((0, 0), 0, 0, 2**24, 1),
        ((0, 0), 0, 0, 0, -1),
    ],
)
def test_addresses_out_of_range_are_refused(address):
    with pytest.raises(SpecificationError, match="out of range"):
        uniforms(*address)
