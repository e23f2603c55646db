"""Feynman diagrams: what they are, all of them, what they are worth, how they look."""
