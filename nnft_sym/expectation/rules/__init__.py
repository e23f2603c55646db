"""Rules of integration: one file each, found by walking this package.

A rule module holds a function ``derive(factors) -> ClosedForm | None`` where ``factors`` are
expressions φ_1(z), ..., φ_k(z) at points 1..k, and an integer ``RANK``: rules are tried in
ascending rank, the cheapest and most special first.
"""
