"""Tangent kernels of sampled networks, confronted with the derived ones."""
