"""Exact generators of groups, their representations, and linear algebra over them."""
