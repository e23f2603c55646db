"""Gaussian expectations of polynomials, exponentials and at most two half-spaces.

A kink at t is the half-space z > t; an error function is a noisy one, since
erf((z - t)/(√2 τ)) = E sign(z - t + τξ) over a standard normal ξ.
"""
