"""The errors of the workbench: one base class, and what each says.

Every error states what was expected, what came, and what to do about it.
"""

from __future__ import annotations


class NNFTError(Exception):
    """Base class of every error raised by ``nnft_sym`` and ``nnft_num``.

    Parameters
    ----------
    expected : str
        What a valid call would have supplied.
    came : str
        What was supplied instead.
    remedy : str
        What the caller can do.

    Examples
    --------
    >>> print(NNFTError(expected="a width of at least 1", came="0", remedy="choose N = 1, 2, ..."))
    expected a width of at least 1; came 0; choose N = 1, 2, ...
    """

    def __init__(self, *, expected: str, came: str, remedy: str) -> None:
        super().__init__(f"expected {expected}; came {came}; {remedy}")
        self.expected = expected
        self.came = came
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.expected, self.came, self.remedy, self.__dict__)


def _rebuild(
    kind: type[NNFTError], expected: str, came: str, remedy: str, state: dict[str, object]
) -> NNFTError:
    error = kind(expected=expected, came=came, remedy=remedy)
    error.__dict__.update(state)
    return error


class SpecificationError(NNFTError, ValueError):
    """A network, density, activation, point set or option that cannot exist."""


class LanguageError(SpecificationError):
    """A text outside the little language of expressions."""


class NotDerivedError(NNFTError, NotImplementedError):
    """A correlator the theory side has no formula for yet."""


class AccuracyError(NNFTError, ArithmeticError):
    """An integral or an estimate that could not be had to the accuracy asked for."""


class InfiniteMomentError(NNFTError, ArithmeticError):
    """A moment that is infinite or undefined for the parameters given."""


class StorageError(NNFTError, OSError):
    """A run file that is missing, foreign, damaged, of another run, or cannot be written."""
