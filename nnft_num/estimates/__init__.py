"""Estimates of correlators and tangent kernels, with errors."""
