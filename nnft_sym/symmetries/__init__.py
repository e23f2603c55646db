"""Symmetries of network densities: conditions on P(theta), proofs, witnesses, defects."""
