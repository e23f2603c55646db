"""Moments of functions of Gaussian fields by numerical integration, each with an error bound."""
