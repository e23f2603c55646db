"""Vectors of sixteen numbers as values of compiled code.

Five types, one register or a few of them wide on every machine: ``f32`` and ``f64`` (floats),
``i32`` and ``u64`` (integers), and masks.  Operators act lane by lane, never across lanes, and
products are never fused with sums unless ``fma`` is written: so the bits of a lane depend on its
own numbers alone, whatever the width of the registers of the machine.  Compiled code that is
written in these types needs no help from an optimiser to use vector instructions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

__all__ = [
    "LANES",
    "any_lane",
    "as_bits",
    "as_double",
    "as_float",
    "double_bits",
    "extract",
    "f32",
    "f64",
    "fabs",
    "fma",
    "i32",
    "insert",
    "lanes",
    "load",
    "low_word",
    "mask",
    "power",
    "select",
    "splat",
    "splat_double",
    "splat_word",
    "sqrt",
    "store",
    "to_double",
    "to_float",
    "to_single",
    "u64",
    "unsigned_to_float",
    "wide_word",
]

LANES = 16
"""Numbers in one vector."""


class Vector(types.Type):
    """Type of a vector of sixteen elements of one scalar type."""

    def __init__(self, name: str, scalar: types.Type, element: ir.Type) -> None:
        self.scalar = scalar
        self.element = element
        super().__init__(name=f"{name}x{LANES}")

    @property
    def ir(self) -> ir.VectorType:
        """What LLVM calls it."""
        return ir.VectorType(self.element, LANES)


f32 = Vector("f32", types.float32, ir.FloatType())
f64 = Vector("f64", types.float64, ir.DoubleType())
i32 = Vector("i32", types.int32, ir.IntType(32))
u64 = Vector("u64", types.uint64, ir.IntType(64))
mask = Vector("mask", types.boolean, ir.IntType(1))

_FLOATS = (f32, f64)
_INTEGERS = (i32, u64)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.ir)


def _splat(builder: Any, vector: Vector, value: Any) -> Any:
    zero = ir.IntType(32)(0)
    single = builder.insert_element(ir.Constant(vector.ir, ir.Undefined), value, zero)
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(vector.ir, ir.Undefined), lanes)


def _llvm(builder: Any, name: str, vector: Vector, operands: Any) -> Any:
    """Call a function of LLVM whose arguments and value are vectors of one type."""
    kind = ir.FunctionType(vector.ir, [vector.ir] * len(operands))
    target = f"llvm.{name}.v{LANES}{vector.name[:3]}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, target), operands)


def _operands(builder: Any, vector: Vector, given: tuple[Any, ...], values: Any) -> list[Any]:
    pairs = zip(given, values, strict=True)
    return [v if isinstance(t, Vector) else _splat(builder, vector, v) for t, v in pairs]


def _common(args: tuple[Any, ...], kinds: tuple[Vector, ...]) -> Vector | None:
    """Type of the vectors among the arguments of an operation, if there is exactly one."""
    found = {a for a in args if isinstance(a, Vector)}
    scalars = all(isinstance(a, (Vector, types.Number)) for a in args)
    return found.pop() if len(found) == 1 and scalars and found <= set(kinds) else None


def _cast(args: tuple[Any, ...], vector: Vector) -> list[Any]:
    return [a if isinstance(a, Vector) else vector.scalar for a in args]


def _define(
    symbol: Any, kinds: tuple[Vector, ...], write: Callable[..., Any], result: Vector | None = None
) -> None:
    """Give an operator a meaning on vectors, one operand of two may be a scalar."""

    @infer_global(symbol)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            vector = None if kws else _common(args, kinds)
            if vector is None:
                return None
            return signature(result or vector, *_cast(args, vector))

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = next(t for t in sig.args if isinstance(t, Vector))
        return write(builder, vector, *_operands(builder, vector, sig.args, args))

    for kind in kinds:
        if symbol in (operator.neg, operator.invert):
            lower_builtin(symbol, kind)(lower)
        else:
            for pair in ((kind, kind), (kind, kind.scalar), (kind.scalar, kind)):
                lower_builtin(symbol, *pair)(lower)


def _either(of_floats: str, of_integers: str) -> Callable[..., Any]:
    def write(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
        return getattr(builder, of_floats if vector in _FLOATS else of_integers)(a, b)

    return write


def _comparison(sign: str) -> Callable[..., Any]:
    def write(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
        if vector in _FLOATS:
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        else:
            compare = builder.icmp_signed if vector is i32 else builder.icmp_unsigned
        return compare(sign, a, b)

    return write


_define(operator.add, _FLOATS + _INTEGERS, _either("fadd", "add"))
_define(operator.sub, _FLOATS + _INTEGERS, _either("fsub", "sub"))
_define(operator.mul, _FLOATS + _INTEGERS, _either("fmul", "mul"))
_define(operator.truediv, _FLOATS, lambda builder, vector, a, b: builder.fdiv(a, b))
_define(operator.neg, _FLOATS, lambda builder, vector, a: builder.fneg(a))
_define(operator.xor, _INTEGERS, lambda builder, vector, a, b: builder.xor(a, b))
_define(operator.and_, (*_INTEGERS, mask), lambda builder, vector, a, b: builder.and_(a, b))
_define(operator.or_, (*_INTEGERS, mask), lambda builder, vector, a, b: builder.or_(a, b))
_define(operator.lshift, _INTEGERS, lambda builder, vector, a, b: builder.shl(a, b))
_define(operator.rshift, _INTEGERS, lambda builder, vector, a, b: builder.lshr(a, b))
_define(operator.invert, (*_INTEGERS, mask), lambda builder, vector, a: builder.not_(a))
for _symbol, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _define(_symbol, _FLOATS + _INTEGERS, _comparison(_sign), result=mask)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once; scalars are taken in every lane."""
    vector = _common((a, b, c), _FLOATS)
    if vector is None:
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _llvm(builder, "fma", vector, _operands(builder, vector, sig.args, args))

    return signature(vector, *_cast((a, b, c), vector)), write


@intrinsic
def select(typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; at least one of them a vector."""
    vector = _common((a, b), _FLOATS + _INTEGERS)
    if vector is None or condition is not mask:
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(args[0], *_operands(builder, vector, sig.args[1:], args[1:]))

    return signature(vector, mask, *_cast((a, b), vector)), write


@intrinsic(prefer_literal=True)
def power(typing: Any, x: Any, exponent: Any) -> Any:
    """x^n for a literal n >= 1, by squaring."""
    if x not in _FLOATS or not isinstance(exponent, types.IntegerLiteral):
        return None
    count = exponent.literal_value

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        square, product = args[0], None
        for digit in reversed(f"{count:b}"):
            if digit == "1":
                product = square if product is None else builder.fmul(product, square)
            square = builder.fmul(square, square)
        return product

    return signature(x, x, exponent), write


def _unary(name: str) -> Any:
    """An LLVM function of one float vector."""

    def function(typing: Any, x: Any) -> Any:
        if x not in _FLOATS:
            return None

        def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _llvm(builder, name, x, args)

        return signature(x, x), write

    function.__name__ = name
    return intrinsic(function)


sqrt = _unary("sqrt")
fabs = _unary("fabs")


def _conversion(source: Vector, target: Vector, instruction: str) -> Any:
    def function(typing: Any, x: Any) -> Any:
        if x is not source:
            return None

        def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(builder, instruction)(args[0], target.ir)

        return signature(target, source), write

    function.__name__ = instruction
    return intrinsic(function)


as_bits = _conversion(f32, i32, "bitcast")
as_float = _conversion(i32, f32, "bitcast")
double_bits = _conversion(f64, u64, "bitcast")
as_double = _conversion(u64, f64, "bitcast")
to_float = _conversion(i32, f32, "sitofp")
unsigned_to_float = _conversion(i32, f32, "uitofp")
low_word = _conversion(u64, i32, "trunc")
wide_word = _conversion(i32, u64, "zext")
to_double = _conversion(f32, f64, "fpext")
to_single = _conversion(f64, f32, "fptrunc")


def _broadcast(vector: Vector) -> Any:
    def function(typing: Any, x: Any) -> Any:
        if not isinstance(x, types.Number):
            return None

        def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _splat(builder, vector, args[0])

        return signature(vector, vector.scalar), write

    function.__name__ = f"splat_{vector.name}"
    return intrinsic(function)


splat = _broadcast(f32)
splat_double = _broadcast(f64)
splat_word = _broadcast(u64)


@intrinsic
def lanes(typing: Any) -> Any:
    """0, 1, ..., 15 as ``u64``."""

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(u64.ir, list(range(LANES)))

    return signature(u64), write


@intrinsic
def any_lane(typing: Any, condition: Any) -> Any:
    """Whether the condition holds in some lane."""
    if condition is not mask:
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = ir.IntType(LANES)
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], word), word(0))

    return signature(types.boolean, mask), write


@intrinsic
def extract(typing: Any, x: Any, lane: Any) -> Any:
    """One lane of a vector."""
    if not isinstance(x, Vector) or not isinstance(lane, types.Integer):
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(*args)

    return signature(x.scalar, x, types.int64), write


@intrinsic
def insert(typing: Any, x: Any, value: Any, lane: Any) -> Any:
    """The vector with one lane replaced."""
    if not isinstance(x, Vector) or not isinstance(lane, types.Integer):
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.insert_element(*args)

    return signature(x, x, x.scalar, types.int64), write


def _vector_of(array: Any) -> Vector | None:
    """Vector type that fits the elements of a contiguous one-dimensional array."""
    if isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C":
        return {types.float32: f32, types.float64: f64, types.int32: i32}.get(array.dtype)
    return None


def _address(context: Any, builder: Any, array: Any, value: Any, offset: Any, v: Vector) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [offset]), v.ir.as_pointer())


@intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Elements offset, ..., offset + 15 of an array, unchecked."""
    vector = _vector_of(array)
    if vector is None:
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _address(context, builder, array, *args, vector)
        return builder.load(address, align=4)

    return signature(vector, array, types.int64), write


@intrinsic
def store(typing: Any, array: Any, offset: Any, x: Any) -> Any:
    """Write a vector over elements offset, ..., offset + 15 of an array, unchecked."""
    vector = _vector_of(array)
    if vector is None or x is not vector:
        return None

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _address(context, builder, array, args[0], args[1], vector)
        builder.store(args[2], address, align=4)
        return context.get_dummy_value()

    return signature(types.void, array, types.int64, x), write
