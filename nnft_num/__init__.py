"""Simulation of neural-network field theories, and their confrontation with theory.

The public names are listed, with their homes, in ``__init__.pyi`` and loaded when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
