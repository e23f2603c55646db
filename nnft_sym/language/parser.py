"""The allow-list parser: from text to an expression, or to one clear error.

A text is read three times, each time by something that cannot be hurt by what the reading before
let through: a scan of its characters, words, numbers and brackets; Python's own ``ast.parse``,
which runs nothing; and a walk over the syntax tree that knows only the nodes of the language.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from nnft_sym.language.errors import LanguageError
from nnft_sym.language.functions import COMPARISONS, CONSTANTS, FUNCTIONS
from nnft_sym.language.nodes import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_LENGTH,
    Call,
    Expression,
    Name,
    Number,
    shorten,
)

__all__ = ["parse"]

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|[<>=!]=|[-+*/(),<>])"
    r"|(?P<space> )"
)
_GLUED = re.compile(r"[A-Za-z0-9_.]")

_NEST = "use where(condition, a, b), nested for 'and', 'or' and chains"
_CHARACTERS: Mapping[str, str] = MappingProxyType(
    {
        "^": "write ** for a power",
        ".": "attributes are not part of the language; write functions as exp(z)",
        "=": "keyword arguments and assignments are not part of the language; == compares",
        "'": "strings are not part of the language",
        '"': "strings are not part of the language",
        "[": "subscripts and lists are not part of the language; write x_1 for x[1]",
        "{": "sets and dictionaries are not part of the language",
        "&": _NEST,
        "|": "write abs(z) for |z|; " + _NEST,
        "!": "write gamma functions out; != compares",
        "%": "write the remainder with other functions",
    }
)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("if", "else", "and", "or", "not", "is", "in"), _NEST),
        **dict.fromkeys(("True", "False"), "write 1 or 0"),
        "lambda": "write the formula alone, without 'lambda z:'; as a name use lam or Lambda",
    }
)
_BINARY: Mapping[type[ast.operator], str] = MappingProxyType(
    {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
)
_COMPARE: Mapping[type[ast.cmpop], str] = MappingProxyType(
    {
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.Eq: "==",
        ast.NotEq: "!=",
    }
)


def parse(text: str, names: Collection[str] | None = None) -> Expression:
    """Read an expression of the little language.

    The language has numbers, names, the constants pi and e, ``+ - * / **``, brackets, the
    functions of ``FUNCTIONS``, and comparisons as the condition of ``where``.  Nothing in the
    text is ever run.

    Parameters
    ----------
    text : str
        The expression, at most 10 000 characters and 100 levels of brackets.
    names : collection of str, optional
        Free names that may occur; any, if not given.

    Raises
    ------
    LanguageError
        If the text is anything else.

    Examples
    --------
    >>> parse("z*(1+erf(z/sqrt(2)))/2")
    parse('z*(1 + erf(z/sqrt(2)))/2')
    >>> parse("z.real")
    Traceback (most recent call last):
    ...
    nnft_sym.language.errors.LanguageError: expected numbers, names, brackets and + - * / ** ...
    """
    line = _scan(text)
    try:
        tree = ast.parse(line, mode="eval")
    except SyntaxError as error:
        column = max(error.offset or 1, 1) - 1
        raise LanguageError(
            expected="one complete expression such as z*exp(-z**2/2)",
            came=f"{shorten(line)}, which breaks off or goes wrong at character {column + 1}",
            remedy="check its operators, commas and brackets",
        ) from None
    except (RecursionError, MemoryError):
        raise _too_deep(line) from None
    expression = _Reader(line, names).read(tree.body, 0)
    if isinstance(expression, Call) and expression.function in COMPARISONS:
        raise LanguageError(
            expected="a number-valued expression",
            came=f"the comparison {shorten(line)}",
            remedy="comparisons are conditions of where: where(z > 0, 1, 0)",
        )
    return expression


def _too_deep(line: str) -> LanguageError:
    return LanguageError(
        expected=f"an expression of at most {MAX_DEPTH} levels of brackets and operators",
        came=f"a deeper one: {shorten(line)}",
        remedy="give parts of it names, or bracket a long sum into shorter sums",
    )


def _scan(text: str) -> str:
    """Put the text on one line, if it is made of nothing but tokens of the language."""
    if not isinstance(text, str):
        raise LanguageError(
            expected="an expression as a string",
            came=f"a value of type {type(text).__name__}",
            remedy="write it as text, for instance 'z**2'",
        )
    if len(text) > MAX_LENGTH:
        raise LanguageError(
            expected=f"a text of at most {MAX_LENGTH} characters",
            came=f"{len(text)} characters: {shorten(text)}",
            remedy="give parts of it names",
        )
    line = re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
    if not line:
        raise LanguageError(
            expected="an expression", came="an empty text", remedy="write for instance 'z**2'"
        )
    position = brackets = 0
    while position < len(line):
        token = _TOKEN.match(line, position)
        if token is None:
            raise _unknown_character(line, position)
        piece = token[0]
        if token.lastgroup == "number":
            _check_number(line, token)
        elif token.lastgroup == "word":
            _check_word(piece)
        elif piece == "(":
            brackets += 1
            if brackets > MAX_DEPTH:
                raise _too_deep(line)
        elif piece == ")":
            brackets -= 1
        position = token.end()
    return line


def _unknown_character(line: str, position: int) -> LanguageError:
    character = line[position]
    remedy = _CHARACTERS.get(character, "leave it out")
    if not character.isascii():
        remedy = "spell it in ASCII, for instance sigma for a Greek letter"
    near = line[max(0, position - 20) : position + 20]
    return LanguageError(
        expected="numbers, names, brackets and + - * / ** , < <= > >= == !=",
        came=f"the character {character!a} in {shorten(near)}",
        remedy=remedy,
    )


def _check_number(line: str, token: re.Match[str]) -> None:
    piece = token[0]
    if _GLUED.match(line, token.end()):
        near = line[token.start() : token.start() + 20]
        raise LanguageError(
            expected="a decimal number such as 2, 0.5 or 1e-3",
            came=f"{shorten(near)}",
            remedy="write * between a number and a name, and numbers in plain decimals",
        )
    if piece.isdigit():
        if len(piece) > len(str(MAX_INTEGER)):
            raise LanguageError(
                expected=f"an integer of at most 2**53 = {MAX_INTEGER}",
                came=f"{len(piece)} digits: {shorten(piece)}",
                remedy="write a float such as 1e20",
            )
        return
    value = float(piece)
    mantissa = re.split("[eE]", piece)[0]
    if value == float("inf") or (value == 0 and mantissa.strip("0.")):
        raise LanguageError(
            expected="a number between 5e-324 and 1.8e308",
            came=shorten(piece),
            remedy="rescale the quantity",
        )


def _check_word(word: str) -> None:
    if word in _WORDS:
        raise LanguageError(
            expected="an expression of numbers, names and functions",
            came=f"the Python word '{word}'",
            remedy=_WORDS[word],
        )
    if word.startswith("_") or keyword.iskeyword(word):
        raise LanguageError(
            expected="names that start with a letter and are not words of Python",
            came=f"the name {shorten(word)}",
            remedy="rename it, for instance sigma_w or x_1",
        )


class _Reader:
    """The walk over Python's syntax tree of one line."""

    def __init__(self, line: str, names: Collection[str] | None) -> None:
        self.line = line
        self.allowed = None if names is None else frozenset(names)

    def read(self, node: ast.expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _too_deep(self.line)
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.read(node.operand, depth + 1)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Call("neg", (self.read(node.operand, depth + 1),))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
            return Call(_BINARY[type(node.op)], (left, right))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        raise LanguageError(
            expected="numbers, names, + - * / **, function calls and where",
            came=f"{type(node).__name__} in {self._quote(node)}",
            remedy="write one formula from these alone",
        )

    def _quote(self, node: ast.expr) -> str:
        return shorten(self.line[node.col_offset : node.end_col_offset])

    def _number(self, node: ast.Constant) -> Number:
        if not isinstance(node.value, (int, float)):
            raise LanguageError(
                expected="a decimal number",
                came=self._quote(node),
                remedy="write numbers such as 2, 0.5 or 1e-3",
            )
        return Number(node.value)

    def _name(self, node: ast.Name) -> Name:
        name = Name(node.id)
        if self.allowed is not None and not name.names <= self.allowed:
            allowed = sorted(self.allowed)
            raise LanguageError(
                expected=f"names among {', '.join(allowed)}" if allowed else "no free names",
                came=f"'{node.id}' in {shorten(self.line)}",
                remedy=_suggestion(node.id, allowed, "declare it, or check its spelling"),
            )
        return name

    def _comparison(self, node: ast.Compare, depth: int) -> Call:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise LanguageError(
                expected="a comparison of two expressions by < <= > >= == !=",
                came=self._quote(node),
                remedy=_NEST,
            )
        left, right = self.read(node.left, depth + 1), self.read(node.comparators[0], depth + 1)
        return Call(_COMPARE[type(node.ops[0])], (left, right))

    def _call(self, node: ast.Call, depth: int) -> Call:
        if not isinstance(node.func, ast.Name):
            raise LanguageError(
                expected="a function called by its name",
                came=self._quote(node),
                remedy="write * for a product",
            )
        function = node.func.id
        if function not in FUNCTIONS:
            raise LanguageError(
                expected="a function among " + ", ".join(FUNCTIONS),
                came=f"'{function}' in {self._quote(node)}",
                remedy=_suggestion(
                    function,
                    list(FUNCTIONS),
                    f"write {function}*(...) for a product, or build it from these",
                ),
            )
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise LanguageError(
                expected="plain arguments separated by commas",
                came=self._quote(node),
                remedy="leave out keywords and stars",
            )
        return Call(function, tuple([self.read(argument, depth + 1) for argument in node.args]))


def _suggestion(word: str, known: list[str], otherwise: str) -> str:
    if word in CONSTANTS:
        return f"{word} is a constant: write {word}*(...) for a product"
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise
