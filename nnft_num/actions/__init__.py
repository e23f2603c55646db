"""The action confronted with samples: densities, couplings, local fits."""
