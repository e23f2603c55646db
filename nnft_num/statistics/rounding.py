"""Numbers with their errors, rounded as physicists write them."""

from __future__ import annotations

import re

import numpy as np

__all__ = ["plain_exponent", "uncertain"]


def uncertain(value: float, error: float) -> str:
    """Value with its error in brackets, two digits of it: 1.235(12).

    Examples
    --------
    >>> uncertain(1.23456, 0.0123), uncertain(1.5e-7, 3e-9)
    ('1.235(12)', '1.500(30)e-7')
    """
    if not (np.isfinite(value) and np.isfinite(error) and error > 0):
        return f"{value:.4g}"
    from uncertainties import ufloat

    return plain_exponent(f"{ufloat(value, error):.2uS}")


def plain_exponent(number: str) -> str:
    """Exponents as siunitx writes them: e-7 in place of e-07.

    Examples
    --------
    >>> plain_exponent("1.5e-07")
    '1.5e-7'
    """
    return re.sub(r"e([+-])0*(\d)", lambda m: f"e{m[1].strip('+')}{m[2]}", number)
