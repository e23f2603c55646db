"""Laws of neurons written out in their parameters: waves, radial integrals, enumeration."""
