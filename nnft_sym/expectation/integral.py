"""Gaussian expectations without a closed form: exact integral objects and their evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.densities import Density
from nnft_sym.expectation.cubature import gaussian_moments
from nnft_sym.expectation.gram import Gram
from nnft_sym.expectation.kinks import thresholds
from nnft_sym.expectation.law import Moments
from nnft_sym.expectation.variables import covariance_matrix
from nnft_sym.tensors import SymmetricTensor, multi_indices
