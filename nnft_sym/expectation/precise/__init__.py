"""Moments to many digits: exact inputs, mpmath's arithmetic, closed forms and few integrals."""
