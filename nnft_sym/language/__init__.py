"""The little language of expressions: one parser, and readers for numpy and for scalar source.

Specifications, the command line and plans write their formulas in it.  It needs the standard
library and numpy only.
"""

from nnft_sym.language.errors import (
    AccuracyError,
    InfiniteMomentError,
    LanguageError,
    NNFTError,
    NotDerivedError,
    SpecificationError,
)
from nnft_sym.language.functions import CONSTANTS, FUNCTIONS, Function
from nnft_sym.language.interpreter import evaluate
from nnft_sym.language.nodes import Call, Expression, Name, Number, substitute
from nnft_sym.language.parser import parse
from nnft_sym.language.source import scalar_source

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "AccuracyError",
    "Call",
    "Expression",
    "Function",
    "InfiniteMomentError",
    "LanguageError",
    "NNFTError",
    "Name",
    "NotDerivedError",
    "Number",
    "SpecificationError",
    "evaluate",
    "parse",
    "scalar_source",
    "substitute",
]
