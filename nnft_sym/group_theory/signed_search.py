"""All signed permutations of the variables that keep a polynomial, by backtracking.

Images are chosen one variable after the other; a choice is given up as soon as the terms in the
variables chosen so far are not those of their images. One extension for each possible image of the
first variable moved is kept: these generate the group (Sims).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.combinatorics import Permutation, PermutationGroup

__all__ = ["signed_symmetries"]

Powers = tuple[int, ...]
Image = tuple[int, int]
"""Where a variable goes, and with which sign."""


def signed_symmetries(terms: Mapping[Powers, Any], size: int) -> tuple[sp.ImmutableMatrix, ...]:
    """Return generators of the signed permutations that keep Σ_p c_p θ^p.

    Parameters
    ----------
    terms : mapping
        Exponents to coefficients; coefficients are compared and negated only.
    size : int
        m: the number of variables.

    Examples
    --------
    >>> len(signed_symmetries({(2, 0): 1, (0, 2): 1, (1, 0): 1}, 2))
    1
    """
    search = _Search(terms, size)
    generators: list[Permutation] = []
    order = 1
    for level in reversed(range(size)):
        fixed: list[Image] = [(i, 1) for i in range(level)]
        for target in range(level, size):
            for sign in (1, -1):
                if (target, sign) == (level, 1):
                    continue
                images = search.extended([*fixed, (target, sign)])
                if images is None:
                    continue
                candidate = [*generators, _permutation(images)]
                larger = int(PermutationGroup(candidate).order())
                if larger > order:
                    generators, order = candidate, larger
    return tuple(_matrix(generator, size) for generator in generators)


class _Search:
    def __init__(self, terms: Mapping[Powers, Any], size: int) -> None:
        self._terms = dict(terms)
        self._size = size
        supports = {p: frozenset(i for i, e in enumerate(p) if e) for p in terms}
        self._last: list[list[Powers]] = [
            [p for p, s in supports.items() if s and max(s) == k] for k in range(size)
        ]
        self._supports = list(supports.values())

    def extended(self, images: list[Image]) -> list[Image] | None:
        """Return images of all variables that begin as given and keep the polynomial."""
        for count in range(1, len(images) + 1):
            if not self._consistent(images[:count]):
                return None
        return self._complete(images)

    def _complete(self, images: list[Image]) -> list[Image] | None:
        if len(images) == self._size:
            return images
        used = {target for target, _ in images}
        for target in range(self._size):
            if target not in used:
                for sign in (1, -1):
                    longer = [*images, (target, sign)]
                    if self._consistent(longer):
                        found = self._complete(longer)
                        if found is not None:
                            return found
        return None

    def _consistent(self, images: list[Image]) -> bool:
        """Whether terms with the last chosen variable as their last go to terms of the polynomial.

        Terms within the chosen variables are as many as within their images: a cheap test that
        ends most wrong branches early.
        """
        level = len(images) - 1
        targets = frozenset(target for target, _ in images)
        inside = sum(1 for s in self._supports if s <= targets)
        if inside != sum(len(self._last[k]) for k in range(level + 1)):
            return False
        for powers in self._last[level]:
            moved, odd = [0] * self._size, 0
            for exponent, (target, sign) in zip(powers, images, strict=False):
                moved[target] = exponent
                odd += exponent * (sign < 0)
            value = self._terms[powers]
            if self._terms.get(tuple(moved)) != (-value if odd % 2 else value):
                return False
        return True


def _permutation(images: list[Image]) -> Permutation:
    n = len(images)
    plus = [target + n * (sign < 0) for target, sign in images]
    return Permutation(plus + [(p + n) % (2 * n) for p in plus])


def _matrix(permutation: Permutation, size: int) -> sp.ImmutableMatrix:
    entries = {}
    for j in range(size):
        image = permutation(j)
        entries[image % size, j] = -1 if image >= size else 1
    return sp.ImmutableMatrix(sp.SparseMatrix(size, size, entries))
