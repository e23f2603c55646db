from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import COS, EXAMPLES, OUTPUTS

KEY = (3, 4)


def source(example=OUTPUTS, **changes):
    options = {"plan": example.plan, "X": example.X, "params": example.params} | changes
    return Source(**options)


def rows(source, start, count):
    out = np.empty((count, source.dimension))
    source.fill(KEY, start, out)
    return out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_a_source_survives_json_and_pickle_to_the_bit(example):
    first = source(example, X=example.X + 1 / 3)
    for again in (Source.from_json(first.to_json()), pickle.loads(pickle.dumps(first))):
        assert again.hash == first.hash
        assert again.to_dict() == first.to_dict()
        assert np.array_equal(again.X, first.X)


def test_rows_are_functions_of_their_index():
    whole = rows(source(), 0, 40)
    assert whole.shape == (40, 9)
    assert np.array_equal(rows(source(), 13, 20), whole[13:33])


def test_a_pickled_source_is_text():
    small = dataclasses.replace(source())
    rows(small, 0, 1)
    assert len(pickle.dumps(small)) < len(small.to_json()) + 200


def test_the_hash_names_everything_that_is_sampled():
    first = source()
    width = first.params["N"]
    others = [
        source(params=OUTPUTS.params | {"N": width + 1}),
        source(X=OUTPUTS.X * (1 + 1e-15)),
        source(EXAMPLES[0]),
        source(precision="single"),
    ]
    assert len({first.hash, *(other.hash for other in others)}) == 5
    assert source().hash == first.hash


def test_the_precision_is_settled_once_and_recorded():
    assert source(precision="single").settled.precision == "single"
    assert source(precision="double").settled.precision == "double"
    # cos(z) for z about 1e6 has lost its digits in single precision
    far = source(COS, X=1e6 * COS.X, precision="single").settled
    assert far.precision == "double"
    assert far.settled is far
    assert np.array_equal(rows(far, 0, 20), rows(source(COS, X=1e6 * COS.X), 0, 20))
    options = {"networks": 40, "rng": 1, "sigma_w": 1, "sigma_v": 1, "N": 5}
    for net_points, expected in ((COS.X, "single"), (1e6 * COS.X, "double")):
        est = nm.correlators(nn.cos_net(), net_points, (2,), **options)
        assert est.precision == est.provenance.source.precision == expected
        report = nm.check(nn.cos_net(), net_points, (2,), **options)
        assert report.precision == expected
        assert f"(parameters, {expected} precision, " in str(report)
    exact = nm.correlators(nn.cos_net(), COS.X, (2,), precision="double", **options)
    assert exact.precision == "double"
    close = nm.correlators(nn.cos_net(), COS.X, (2,), **options)
    np.testing.assert_allclose(close[2].mean, exact[2].mean, atol=1e-6)
    assert not np.array_equal(close[2].mean, exact[2].mean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "nnft-source/0"}, "format"),
        ({"route": "guess"}, "route"),
        ({"route": ["parameters"]}, "route"),
        ({"precision": "half"}, "precision"),
        ({"params": [1.0]}, "parameters by name"),
        ({"params": {}}, "missing"),
        ({"points": [[float("nan"), 0.0]]}, "finite"),
        ({"points": "here"}, "points"),
        ({"more": 1}, "keys"),
        ({"plan": {"format": "nnft-plan/1"}}, "keys"),
    ],
)
def test_foreign_data_are_refused(change, message):
    with pytest.raises(SpecificationError, match=message):
        Source.from_dict(source().to_dict() | change)


@pytest.mark.parametrize("text", ["", "[", "[]", "3", json.dumps("x")])
def test_foreign_texts_are_refused(text):
    with pytest.raises(SpecificationError):
        Source.from_json(text)
