"""The little language: what it reads, what it refuses, and that its readers agree."""

import copy
import math
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nnft_sym.language import (
    CONSTANTS,
    FUNCTIONS,
    Call,
    Expression,
    LanguageError,
    Name,
    Number,
    SpecificationError,
    evaluate,
    parse,
    scalar_source,
    substitute,
)
from nnft_sym.language.functions import COMPARISONS, OPERATORS
from nnft_sym.language.nodes import MAX_DEPTH, MAX_INTEGER, MAX_LENGTH

NAMES = ("z", "x_1", "sigma_w")
ARITHMETIC = [name for name in OPERATORS if name not in COMPARISONS]


@st.composite
def trees(draw, depth=4):
    """Expressions of every shape, those refused for their constants left out."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(leaves)
    function = draw(st.sampled_from([*ARITHMETIC, *ARITHMETIC, *FUNCTIONS]))
    record = OPERATORS.get(function) or FUNCTIONS[function]
    count = record.arity + record.variadic * draw(st.integers(0, 2))
    arguments = [draw(trees(depth - 1)) for _ in range(count)]
    try:
        if function == "where":
            comparison = draw(st.sampled_from(sorted(COMPARISONS)))
            arguments[0] = Call(comparison, (arguments[0], draw(trees(depth - 1))))
        return Call(function, tuple(arguments))
    except LanguageError:
        return draw(leaves)


leaves = st.one_of(
    st.sampled_from(NAMES).map(Name),
    st.sampled_from([*NAMES, *CONSTANTS]).map(Name),
    st.integers(0, 12).map(Number),
    st.sampled_from([0.5, 0.1, 1e-3, 2.0]).map(Number),
    st.one_of(
        st.integers(0, MAX_INTEGER).map(Number),
        st.floats(0.0, allow_nan=False, allow_infinity=False).map(Number),
    ),
)
expressions = trees()


# ------------------------------------------------------------------ what it reads


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("z", "z"),
        ("  z\n + 1 ", "z + 1"),
        ("((z))", "z"),
        ("+z", "z"),
        ("-z**2", "-z**2"),
        ("(-z)**2", "(-z)**2"),
        ("-z*2", "-z*2"),
        ("-(z*2)", "-(z*2)"),
        ("--z", "-(-z)"),
        ("z**-2", "z**(-2)"),
        ("z**y**2", "z**y**2"),
        ("(z**y)**2", "(z**y)**2"),
        ("a-(b-c)", "a - (b - c)"),
        ("a-b-c", "a - b - c"),
        ("a/(b*c)", "a/(b*c)"),
        ("a/b*c", "a/b*c"),
        ("a + -b", "a + (-b)"),
        ("1/2", "1/2"),
        ("1.", "1.0"),
        (".5e1", "5.0"),
        ("1e22", "1e+22"),
        ("0.1", "0.1"),
        ("max(a,b,c)", "max(a, b, c)"),
        ("where(z<-1,0,where(z<=1,z,1))", "where(z < -1, 0, where(z <= 1, z, 1))"),
        ("where(z==0,1,sin(z)/z)", "where(z == 0, 1, sin(z)/z)"),
        ("sigma_b**2+sigma_w**2*norm2/d", "sigma_b**2 + sigma_w**2*norm2/d"),
    ],
)
def test_canonical_text(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_structure_of_the_tree():
    tree = parse("2*exp(-z)")
    assert tree == Call("*", (Number(2), Call("exp", (Call("neg", (Name("z"),)),))))
    assert tree.names == {"z"}
    assert parse("pi*e").names == frozenset()
    assert repr(tree) == "parse('2*exp(-z)')"


def test_integers_and_floats_are_different_numbers():
    assert Number(2) != Number(2.0)
    assert parse("2*z") != parse("2.0*z")
    assert parse("z") != "z"


@settings(max_examples=400, deadline=None, derandomize=True)
@given(expressions)
def test_text_parses_back(tree):
    again = parse(str(tree))
    assert again == tree
    assert same(again, tree)
    assert hash(again) == hash(tree)
    assert again.names == tree.names


def same(one, two):
    """Equality node by node, which does not lean on the canonical text."""
    if type(one) is not type(two):
        return False
    if isinstance(one, Number):
        return type(one.value) is type(two.value) and one.value == two.value
    if isinstance(one, Name):
        return one.id == two.id
    return (
        one.function == two.function
        and len(one.arguments) == len(two.arguments)
        and all(map(same, one.arguments, two.arguments))
    )


def test_trees_are_frozen_and_can_be_copied_and_pickled():
    tree = parse("where(z > 0, z, 0.1*z)")
    assert pickle.loads(pickle.dumps(tree)) == tree == copy.deepcopy(tree)
    assert len({tree, parse(str(tree))}) == 1
    with pytest.raises(AttributeError):
        tree.function = "max"


def test_allowed_names():
    assert parse("a*z + pi", names=["a", "z"]).names == {"a", "z"}
    with pytest.raises(LanguageError, match=r"names among sigma_b, sigma_w; came 'sigma_v'"):
        parse("sigma_v**2", names=["sigma_w", "sigma_b"])
    with pytest.raises(LanguageError, match="no free names"):
        parse("z", names=())


def test_substitute():
    assert str(substitute(parse("z**2 + a"), {"z": parse("a + 1")})) == "(a + 1)**2 + a"
    assert substitute(parse("a - b"), {"a": Name("b"), "b": Name("a")}) == parse("b - a")
    assert substitute(parse("e*z"), {"e": Name("a")}) == parse("e*z")
    with pytest.raises(LanguageError, match="finite"):
        substitute(parse("1/z"), {"z": Number(0)})


# ------------------------------------------------------------------ what it refuses

# Fits as it stands, but not with the spaces of its canonical text.
ROW = f"({'+'.join(['z'] * 30)})"
LONG_SUM = "+".join([f"({'+'.join([ROW] * 30)})"] * 5)

REFUSED = {
    "attribute": ("z.real", "'.'"),
    "attribute of a call": ("exp(z).real", "'.'"),
    "dunder": ("__import__('os').system('true')", "__import__"),
    "dunder name": ("__builtins__", "__builtins__"),
    "private name": ("_z", "_z"),
    "lambda": ("lambda z: z", "lambda"),
    "lambda as a name": ("lambda*z", "lambda"),
    "unknown function": ("eval(z)", "eval"),
    "call of a call": ("exp(z)(z)", r"exp\(z\)\(z\)"),
    "call of a number": ("2(z)", r"2\(z\)"),
    "call of a constant": ("pi(z)", "pi"),
    "call of an operator name": ("neg(z)", "neg"),
    "function without arguments": ("exp", "exp"),
    "scalar name": ("fmax + 1", "fmax"),
    "no arguments": ("exp()", "0 in"),
    "many arguments": ("exp(z, z)", "2 in"),
    "one argument": ("max(z)", "1 in"),
    "keyword": ("exp(z=1)", "'='"),
    "starred": ("max(*z)", r"max\(\*z\)"),
    "double starred": ("max(z, **z)", r"max\(z, \*\*z\)"),
    "string": ("'z'", 'character "\'"'),
    "f-string": ('f"{z}"', "character"),
    "bytes": ("b'z'", "character"),
    "comprehension": ("[z for z in x]", r"'\['"),
    "generator": ("max(z for z in x)", "'for'"),
    "walrus": ("(z := 1)", "':'"),
    "subscript": ("x[0]", r"'\['"),
    "dictionary": ("{}", "'{'"),
    "tuple": ("(z, 1)", "Tuple"),
    "trailing comma": ("z,", "Tuple"),
    "empty tuple": ("()", "Tuple"),
    "conditional": ("1 if z else 0", "'if'"),
    "glued conditional": ("1if z else 0", "1if"),
    "caret": ("z^2", r"'\^'.*\*\*"),
    "floor division": ("z//2", "FloorDiv|BinOp"),
    "modulo": ("z%2", "'%'"),
    "matrix product": ("z@z", "'@'"),
    "bit operation": ("z&1", "'&'"),
    "invert": ("~z", "'~'"),
    "complex": ("2j", "2j"),
    "hexadecimal": ("0x10", "0x10"),
    "underscores": ("1_000", "1_000"),
    "leading zeros": ("007", "007"),
    "implicit product": ("2z", "2z"),
    "two names": ("z z", "character"),
    "number then dot": ("1..real", "1.."),
    "truth": ("True", "True"),
    "none": ("None", "None"),
    "ellipsis": ("...", "'.'"),
    "and": ("where(z > 0 and z < 1, 1, 0)", "'and'.*where"),
    "not": ("not z", "'not'"),
    "in": ("z in z", "'in'"),
    "chain": ("where(0 < z < 1, 1, 0)", "0 < z < 1"),
    "bare comparison": ("z > 0", "comparison"),
    "comparison in a sum": ("1 + (z > 0)", "z > 0"),
    "comparison in a branch": ("where(z > 0, z > 1, 0)", "z > 1"),
    "comparison of comparisons": ("where((z > 0) == (z > 1), 1, 0)", "z > 0"),
    "no condition": ("where(z, 1, 0)", "condition"),
    "assignment": ("z = 1", "'='"),
    "statement": ("import os", "'import'"),
    "semicolon": ("z; z", "';'"),
    "comment": ("z # z", "'#'"),
    "backslash": ("z \\\n + 1", "character"),
    "open bracket": ("(z", "breaks off"),
    "closed bracket": ("z)", "breaks off"),
    "crossed brackets": (") + (", "breaks off"),
    "dangling operator": ("z*", "breaks off"),
    "await": ("await z", "'await'"),
    "empty": ("", "empty"),
    "spaces": (" \n\t ", "empty"),
    "null byte": ("z\x00", "x00"),
    "form feed": ("z\f", "x0c"),
    "greek": ("σ_w*z", r"u03c3.*ASCII"),
    "ligature": ("ﬁ + 1", "ufb01"),
    "homoglyph of e": ("ℯ", "u212f"),
    "homoglyph of exp": ("ｅｘｐ(z)", "uff45"),
    "fullwidth digit": ("１", "uff11"),
    "minus sign": ("−z", "u2212"),
    "non-breaking space": ("z\xa0+ 1", "xa0"),
    "surrogate": ("z\ud800", "ud800"),
    "tower": ("9**9**9", r"9\*\*9\*\*9"),
    "tower with floats": ("9.0**9.0**9.0", "9.0"),
    "huge power of a name": ("z**(10**9)", "z"),
    "huge negative power": ("z**(-10**9)", "z"),
    "huge power of a fraction": ("(1/2)**(10**15)", "power"),
    "power of powers": ("((2*z)**500)**500", "power"),
    "power of hidden powers": ("(1 + (2*z)**500)**500", "power"),
    "power beyond doubles": ("10**400", "inf"),
    "exponential beyond doubles": ("z*exp(exp(10))", "inf"),
    "division by zero": ("z + 1/0", "1/0"),
    "root of a negative": ("sqrt(-1)", "nan"),
    "power of a negative": ("(-8)**(1/3)", "nan"),
    "long integer": ("1" * 30, "30 digits"),
    "very long integer": ("9" * 9000, "9000 digits"),
    "integer beyond 2**53": (str(MAX_INTEGER + 1), "54 bits"),
    "float overflow": ("1e999", "1e999"),
    "float underflow": ("1e-999", "1e-999"),
    "long name": ("z" * 65, "name"),
    "nested brackets": ("(" * 10**5 + "z" + ")" * 10**5, "200001 characters"),
    "open brackets": ("(" * 10**5, "100000 characters"),
    "brackets that fit": ("(" * 4000 + "z" + ")" * 4000, "deeper"),
    "nested calls": ("exp(" * 1500 + "z" + ")" * 1500, "deeper"),
    "signs": ("-" * 9000 + "z", "deeper"),
    "plus signs": ("+" * 200 + "z", "deeper"),
    "signs in brackets": ("(-" * 99 + "-" * 9000 + "z" + ")" * 99, "deeper"),
    "long tower": ("z**" * 3000 + "z", "deeper"),
    "long sum": ("1+" * 4000 + "z", "deeper"),
    "many calls": ("z" + "()" * 4000, "deeper|called by its name"),
    "long text": ("z" + " " * 10**6, "1000001 characters"),
    "long after spacing": (LONG_SUM, "characters"),
    "not a text": (2, "int"),
    "bytes object": (b"z", "bytes"),
    "nothing": (None, "NoneType"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_quickly_with_one_clear_error(text, message):
    start = time.process_time()
    with pytest.raises(LanguageError, match=message) as caught:
        parse(text)
    assert time.process_time() - start < 2.0
    assert len(str(caught.value)) < 600
    assert str(caught.value).isascii()
    assert caught.value.expected
    assert caught.value.came
    assert caught.value.remedy


def test_remedies_name_what_was_meant():
    with pytest.raises(LanguageError, match="did you mean atan"):
        parse("arctan(z)")
    with pytest.raises(LanguageError, match="did you mean sigma_w"):
        parse("sigma_W*z", names=["sigma_w", "sigma_b"])


@pytest.mark.parametrize(
    "build",
    [
        lambda: Number(-1),
        lambda: Number(-0.0),
        lambda: Number(True),
        lambda: Number(math.inf),
        lambda: Number(math.nan),
        lambda: Number(10**5000),
        lambda: Number("1"),
        lambda: Name("z.real"),
        lambda: Name("z\n"),
        lambda: Name("if"),
        lambda: Name(1),
        lambda: Call("eval", (Name("z"),)),
        lambda: Call("exp", ()),
        lambda: Call("exp", (1.0,)),
        lambda: Call("+", (Name("z"),)),
        lambda: Call("where", (Name("z"), Name("z"), Name("z"))),
    ],
)
def test_impossible_nodes(build):
    with pytest.raises(LanguageError):
        build()


def test_a_shared_tree_cannot_outgrow_its_text():
    def double():
        tree = Name("z")
        for _ in range(MAX_DEPTH):
            tree = Call("*", (tree, tree))

    start = time.process_time()
    with pytest.raises(LanguageError, match=f"{MAX_LENGTH} characters"):
        double()
    assert time.process_time() - start < 2.0
    assert len(LONG_SUM) < MAX_LENGTH


def test_a_tree_cannot_outgrow_its_depth():
    tree = parse("sin(" * MAX_DEPTH + "z" + ")" * MAX_DEPTH)
    with pytest.raises(LanguageError, match=f"{MAX_DEPTH} levels"):
        Call("sin", (tree,))


def test_the_deepest_trees_work():
    for text in ("exp(-" * 50 + "z" + ")" * 50, "+".join(["z"] * MAX_DEPTH), "-" * MAX_DEPTH + "z"):
        tree = parse(text)
        assert tree.depth >= MAX_DEPTH - 1
        assert parse(str(tree)) == tree
        assert np.isfinite(evaluate(tree, {"z": 0.5}))
        assert math.isfinite(run(tree, {"z": 0.5}))
    pieces = ["exp(", "(1 + ", "where(1 < z**", "-", "2*"]
    for piece in pieces:
        tree = Name("z")
        while tree.depth < MAX_DEPTH - 2:
            tree = {
                "exp(": lambda t: Call("exp", (t,)),
                "(1 + ": lambda t: Call("+", (Number(1), t)),
                "where(1 < z**": lambda t: Call(
                    "where", (Call("<", (Number(1), t)), Name("z"), Name("z"))
                ),
                "-": lambda t: Call("neg", (t,)),
                "2*": lambda t: Call("/", (Name("z"), t)),
            }[piece](tree)
        assert parse(str(tree)) == tree
        compile(scalar_source(tree), "source", "eval")


texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="z1e.+-*/(),<>= _", max_size=40),
    st.lists(
        st.sampled_from(
            [*FUNCTIONS, *OPERATORS, *"()(),.z1", "z", "2", "0.5", "if", "lambda", ":", "1e9", "'"]
        ),
        max_size=15,
    ).map(" ".join),
    st.builds(lambda tree, cut: str(tree)[cut:], expressions, st.integers(0, 3)),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(texts)
@example("1if x")
@example("'\\d'")
@example("0_")
@example("1 (2)")
def test_any_text_gives_an_expression_or_a_language_error(text):
    try:
        tree = parse(text)
    except LanguageError:
        return
    assert isinstance(tree, Expression)
    assert parse(str(tree)) == tree
    evaluate(tree, dict.fromkeys(tree.names, 0.5))
    compile(scalar_source(tree), "source", "eval")


# ------------------------------------------------------------------ its readers


SCALARS = {
    **{
        name: getattr(math, name)
        for name in (
            *("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
            *("asin", "acos", "atan", "erf", "erfc", "fabs"),
        )
    },
    "pow": math.pow,
    "fmax": lambda a, b: a if a > b else b,
    "fmin": lambda a, b: a if a < b else b,
    "sign": lambda z: 0.0 if z == 0 else math.copysign(1.0, z),
    "heaviside": lambda z: 0.5 if z == 0 else float(z > 0),
    "sigmoid": lambda z: 1.0 / (1.0 + math.exp(-z)),
}


def run(tree, values):
    """The scalar source, executed with the math module alone."""
    return eval(scalar_source(tree), {"__builtins__": {}, **SCALARS}, dict(values))


def test_every_function_has_a_scalar_meaning():
    scalars = {record.scalar for name, record in FUNCTIONS.items() if name != "where"}
    assert scalars == SCALARS.keys() - {"pow"}
    for record in (*FUNCTIONS.values(), *OPERATORS.values()):
        assert record.doc


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "where"])
def test_functions_agree_with_the_math_module(name):
    record = FUNCTIONS[name]
    for count in {record.arity, record.arity + record.variadic}:
        tree = Call(name, tuple(map(Name, NAMES[:count])))
        rng = np.random.default_rng(3)
        for values in rng.uniform(0, 1, size=(20, 3)) * [1, -1, 1]:
            point = dict(zip(NAMES, values, strict=True))
            assert float(evaluate(tree, point)) == pytest.approx(run(tree, point), rel=1e-15)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(expressions, st.lists(st.floats(-4, 4), min_size=3, max_size=3))
def test_scalar_source_agrees_with_numpy(tree, numbers):
    point = dict(zip(NAMES, numbers, strict=True))
    value = float(evaluate(tree, point))
    try:
        scalar = run(tree, point)
    except (ValueError, ArithmeticError):
        # The math module raises where float64 arithmetic goes on with nan or inf.
        return
    assume(smooth_at(tree, point))
    assert scalar == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def shaken(tree, point, rng):
    """The value with a relative error of 1e-13 in every number, name and function value."""
    if isinstance(tree, Call):
        record = OPERATORS.get(tree.function) or FUNCTIONS[tree.function]
        value = record.numpy(*[shaken(part, point, rng) for part in tree.arguments])
        if tree.function in COMPARISONS:
            return value
    else:
        value = evaluate(tree, point)
    return value * (1 + rng.uniform(-1e-13, 1e-13))


def smooth_at(tree, point):
    """Whether the value is insensitive to rounding, within the tolerance."""
    with np.errstate(all="ignore"):
        values = [float(shaken(tree, point, np.random.default_rng(seed))) for seed in range(3)]
    return np.allclose(values, evaluate(tree, point), rtol=1e-10, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("z**2", "z**2"),
        ("(a + b)**8", "(a + b)**8"),
        ("z**9", "pow(z, 9.0)"),
        ("z**2.0", "pow(z, 2.0)"),
        ("z**-1", "1.0/z**1"),
        ("a/z**-3", "a/(1.0/z**3)"),
        ("z**a", "pow(z, a)"),
        ("(z**2)**3", "(z**2)**3"),
        ("-z**2", "-z**2"),
        ("1/2*z", "1.0/2.0*z"),
        ("abs(z)", "fabs(z)"),
        ("max(a, b, c)", "fmax(fmax(a, b), c)"),
        ("min(a, b)", "fmin(a, b)"),
        ("2*where(z == 0, 1, z) + 1", "2.0*(1.0 if z == 0.0 else z) + 1.0"),
        ("pi + e", f"{math.pi!r} + {math.e!r}"),
    ],
)
def test_scalar_source(text, source):
    assert scalar_source(parse(text)) == source


def test_integers_of_the_source_do_not_overflow():
    tree = parse(f"z*({MAX_INTEGER}*{MAX_INTEGER})")
    assert isinstance(run(tree, {"z": 1.0}), float)
    assert scalar_source(tree).count(".0") == 2


@pytest.mark.parametrize("name", ["sign", "heaviside"])
def test_values_at_the_jump(name):
    middle = {"sign": 0.0, "heaviside": 0.5}[name]
    assert evaluate(parse(f"{name}(z)"), {"z": [0.0, -0.0]}).tolist() == [middle, middle]


def test_evaluate_broadcasts_to_float64():
    value = evaluate(parse("x*w + 1"), {"x": [[1], [2]], "w": np.float32([1, 2, 3])})
    assert value.dtype == np.float64
    assert value.tolist() == [[2, 3, 4], [3, 5, 7]]
    assert evaluate(parse("1/2"), {"z": [1, 2]}).tolist() == [0.5, 0.5]
    assert evaluate(parse("z"), {"z": 3}).shape == ()
    assert evaluate(parse("erf(z)"), {"z": np.zeros((0, 2))}).shape == (0, 2)


def test_evaluate_returns_a_fresh_array():
    z = np.zeros(2)
    evaluate(parse("z"), {"z": z})[0] = 1.0
    assert z[0] == 0.0


def test_evaluate_outside_the_domain_is_silent():
    z = np.array([-1.0, 0.0, 1.0])
    with np.errstate(all="raise"):
        value = evaluate(parse("log(z) + sqrt(z) + z**0.5 + 1/z + exp(1000*z)"), {"z": z})
    assert np.isnan(value[0])
    assert np.isnan(value[1])
    assert value[2] == np.inf


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "none for z"),
        ({"z": 1j}, "1j"),
        ({"z": "1"}, "real"),
        ({"z": [[1], [1, 2]]}, "real"),
        ({"z": [1, 2], "a": [1, 2, 3]}, r"a \(3,\)"),
    ],
)
def test_evaluate_refuses(values, message):
    with pytest.raises(SpecificationError, match=message):
        evaluate(parse("2*z"), values)


def test_the_language_imports_neither_sympy_nor_scipy():
    code = (
        "import sys, nnft_sym.language\n"
        "sys.exit(any(name in sys.modules for name in ('sympy', 'scipy', 'numba')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
