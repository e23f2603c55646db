"""The action of a network field theory: couplings from cumulants, and the way back."""
