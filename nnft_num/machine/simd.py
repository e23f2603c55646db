"""Machine code written from Python: sixteen numbers to a value, operators that act lane by lane.

A ``Value`` is a number, or a vector of sixteen, of the code that is being written; an operator on
values writes the instruction that computes it.  Plain numbers are taken in every lane.  Products
are never fused with sums unless ``fma`` is written and lanes never meet, so the bits of a lane
depend on its own numbers alone, whatever the width of the registers of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise, zip_longest
from typing import Any

from llvmlite import ir

from nnft_num.machine.compiled import has_feature

__all__ = ["LANES", "RARE_BITS", "Code", "Value", "Variable", "f32", "f64", "i32", "i64"]

LANES = 16
"""Numbers in one vector."""

RARE_BITS = -(2**18)
"""Bits that mark a rare case."""

f32, f64, i32, i64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_TABLE = 256
_FLOATS = (f32, f64)


class Value:
    """A number or a vector of the code that is being written."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code = code
        self.ir = value

    @property
    def is_vector(self) -> bool:
        """Whether it has sixteen lanes."""
        return isinstance(self.ir.type, ir.VectorType)

    @property
    def element(self) -> ir.Type:
        """Type of one number."""
        return self.ir.type.element if self.is_vector else self.ir.type

    def _with(self, other: Any, floats: str, integers: str, swapped: bool = False) -> Value:
        a, b = self.code.pair(self, other)
        if swapped:
            a, b = b, a
        name = floats if a.element in _FLOATS else integers
        return Value(self.code, getattr(self.code.builder, name)(a.ir, b.ir))

    def __add__(self, other: Any) -> Value:
        return self._with(other, "fadd", "add")

    __radd__ = __add__

    def __sub__(self, other: Any) -> Value:
        return self._with(other, "fsub", "sub")

    def __rsub__(self, other: Any) -> Value:
        return self._with(other, "fsub", "sub", swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._with(other, "fmul", "mul")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return self._with(other, "fdiv", "")

    def __rtruediv__(self, other: Any) -> Value:
        return self._with(other, "fdiv", "", swapped=True)

    def __floordiv__(self, other: Any) -> Value:
        return self._with(other, "", "udiv")

    def __and__(self, other: Any) -> Value:
        return self._with(other, "", "and_")

    def __or__(self, other: Any) -> Value:
        return self._with(other, "", "or_")

    def __xor__(self, other: Any) -> Value:
        return self._with(other, "", "xor")

    def __lshift__(self, other: Any) -> Value:
        return self._with(other, "", "shl")

    def __rshift__(self, other: Any) -> Value:
        return self._with(other, "", "lshr")

    def __neg__(self) -> Value:
        return Value(self.code, self.code.builder.fneg(self.ir))

    def __invert__(self) -> Value:
        return Value(self.code, self.code.builder.not_(self.ir))

    def _compare(self, sign: str, other: Any) -> Value:
        a, b = self.code.pair(self, other)
        builder = self.code.builder
        if a.element not in _FLOATS:
            return Value(self.code, builder.icmp_signed(sign, a.ir, b.ir))
        compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return Value(self.code, compare(sign, a.ir, b.ir))

    def __lt__(self, other: Any) -> Value:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Value:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Value:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Value:
        return self._compare(">=", other)

    def equals(self, other: Any) -> Value:
        """Where both are the same number; NaN is not."""
        return self._compare("==", other)

    def differs(self, other: Any) -> Value:
        """Where they are not the same number; NaN differs from everything."""
        return self._compare("!=", other)

    def select(self, yes: Any, no: Any) -> Value:
        """``yes`` where the condition holds, else ``no``; one of them at least is a value."""
        given = yes if isinstance(yes, Value) else no
        a, b = self.code.pair(given, no if given is yes else yes)
        if given is not yes:
            a, b = b, a
        return Value(self.code, self.code.builder.select(self.ir, a.ir, b.ir))

    def _converted(self, instruction: str, element: ir.Type) -> Value:
        target = ir.VectorType(element, LANES) if self.is_vector else element
        return Value(self.code, getattr(self.code.builder, instruction)(self.ir, target))

    def bits(self) -> Value:
        """Bits of floats, as integers."""
        return self._converted("bitcast", i32 if self.element is f32 else i64)

    def from_bits(self) -> Value:
        """Floats with these bits."""
        return self._converted("bitcast", f32 if self.element is i32 else f64)

    def to_float(self) -> Value:
        """Signed integers as single precision."""
        return self._converted("sitofp", f32)

    def unsigned_to_float(self) -> Value:
        """Unsigned integers as single precision."""
        return self._converted("uitofp", f32)

    def _words(self, upper: int) -> Value:
        builder = self.code.builder
        halves = builder.bitcast(self.ir, ir.VectorType(i32, 2 * LANES))
        undefined = ir.Constant(halves.type, ir.Undefined)
        # even lanes stand in the first half of the registers, odd ones in the second
        order = [2 * (lane // 2) + LANES * (lane % 2) + upper for lane in range(LANES)]
        places = ir.Constant(ir.VectorType(i32, LANES), order)
        return Value(self.code, builder.shuffle_vector(halves, undefined, places))

    def shifted_left(self, amount: Value, *, fill: int) -> Value:
        """Bits shifted left by 0 to 31 places, those of ``fill`` moving in from the right."""
        function, kind = f"llvm.fshl.v{LANES}i32", self.ir.type
        filling = self.code.vector(fill, i32).ir
        return Value(self.code, self.code._called(function, kind, [self.ir, filling, amount.ir]))

    def leading_zeros(self) -> Value:
        """Zeros before the first one of 32 bits, 32 of zero."""
        false = ir.Constant(ir.IntType(1), 0)
        function, kind = f"llvm.ctlz.v{LANES}i32", self.ir.type
        return Value(self.code, self.code._called(function, kind, [self.ir, false]))

    def low_word(self) -> Value:
        """Lower 32 bits."""
        return self._converted("trunc", i32)

    def lower_words(self) -> Value:
        """Lower 32 bits of 64, where lanes 0, 2, ..., 14 stand before 1, 3, ..., 15."""
        return self._words(0)

    def upper_words(self) -> Value:
        """Upper 32 bits, from and in the same order."""
        return self._words(1)

    def wide_word(self) -> Value:
        """32 bits as the lower half of 64."""
        return self._converted("zext", i64)

    def to_double(self) -> Value:
        """Double precision."""
        return self._converted("fpext", f64)

    def to_single(self) -> Value:
        """Single precision."""
        return self._converted("fptrunc", f32)

    def splat(self) -> Value:
        """The number in every lane."""
        builder, vector = self.code.builder, ir.VectorType(self.element, LANES)
        undefined = ir.Constant(vector, ir.Undefined)
        single = builder.insert_element(undefined, self.ir, i32(0))
        order = ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)
        return Value(self.code, builder.shuffle_vector(single, undefined, order))

    def any_lane(self) -> Value:
        """Whether a condition holds in some lane."""
        word = ir.IntType(LANES)
        bits = self.code.builder.bitcast(self.ir, word)
        return Value(self.code, self.code.builder.icmp_unsigned("!=", bits, word(0)))


class Variable:
    """A value that is set again in loops and branches."""

    def __init__(self, value: Value) -> None:
        self.code = value.code
        with self.code.builder.goto_entry_block():
            self._slot = self.code.builder.alloca(value.ir.type)
        self.value = value

    @property
    def value(self) -> Value:
        """What it is now."""
        return Value(self.code, self.code.builder.load(self._slot))

    @value.setter
    def value(self, value: Value) -> None:
        self.code.builder.store(value.ir, self._slot)


class _Rare:
    """Whether a rare case was left out."""

    def __init__(self) -> None:
        self.cases: list[Value] = []

    @property
    def is_possible(self) -> bool:
        """Whether there is one to happen."""
        return bool(self.cases)

    @property
    def happened(self) -> Value:
        """Whether it occurred, in some lane."""
        # as bits of numbers, which stay in the vector registers, where masks would not
        lanes = reduce(lambda a, b: a | b, self.cases)
        return (lanes & RARE_BITS).differs(0).any_lane()


class Code:
    """One function of machine code that is being written.

    Parameters
    ----------
    name : str
        Its name.
    arguments : dict
        Names of its arguments and their types: numbers, or pointers to numbers.
    """

    def __init__(self, name: str, arguments: dict[str, ir.Type]) -> None:
        self.module = ir.Module(name=name)
        kind = ir.FunctionType(ir.VoidType(), list(arguments.values()))
        self.function = ir.Function(self.module, kind, name=name)
        # vectors that leave the registers then lie within one line of the cache
        self.function.attributes.add("nounwind")
        self.function.attributes.alignstack = 4 * LANES
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self._tables: dict[ir.Type, dict[str, int]] = {}
        self._lookups: dict[tuple[float, ...], ir.GlobalVariable] = {}
        self._rare: _Rare | None = None
        self.arguments = {}
        for argument, given in zip(arguments, self.function.args, strict=True):
            if isinstance(given.type, ir.PointerType):
                given.add_attribute("noalias")
            self.arguments[argument] = Value(self, given)

    def finish(self) -> str:
        """End the function and give the text of the module."""
        self.builder.ret_void()
        for element, table in self._tables.items():
            numbers = [float(text) for text in table]
            numbers += [0.0] * (_TABLE - len(numbers))
            # of external linkage, lest the compiler should put the numbers back where they are used
            self._table(element).initializer = ir.Constant(
                ir.ArrayType(element, _TABLE), [element(number) for number in numbers]
            )
        return str(self.module)

    def number(self, value: float, element: ir.Type) -> Value:
        """A constant."""
        return Value(self, ir.Constant(element, _constant(value, element)))

    def vector(self, value: float, element: ir.Type) -> Value:
        """A constant in every lane."""
        constant = _constant(value, element)
        if element in _FLOATS and value:
            return self._tabled(constant, element).splat()
        return Value(self, ir.Constant(ir.VectorType(element, LANES), [constant] * LANES))

    def _tabled(self, value: float, element: ir.Type) -> Value:
        """Read a number from a table of our own.

        Left to itself the compiler would write a full address wherever it uses a constant, and
        the processor would wait for its instructions.
        """
        table = self._tables.setdefault(element, {})
        position = table.setdefault(repr(value), len(table))
        with self.builder.goto_entry_block():
            place = self.builder.gep(self._table(element), [i32(0), i32(position)], inbounds=True)
        number = self.builder.load(place, align=4)
        number.set_metadata("invariant.load", self.module.add_metadata([]))
        return Value(self, number)

    def _table(self, element: ir.Type) -> ir.GlobalVariable:
        name = f"table_{element}"
        kind = ir.ArrayType(element, _TABLE)
        return self.module.globals.get(name) or ir.GlobalVariable(self.module, kind, name)

    def lookup(self, numbers: Sequence[float], index: Value) -> Value:
        """Single-precision numbers at places given by the lowest bits of an index, lane by lane.

        Parameters
        ----------
        numbers : sequence of float
            16 or 32 of them.
        index : Value
            Vector of ``i32``, of which the lowest 4 or 5 bits count.
        """
        table = self._looked_up(tuple(numbers))
        if not has_feature("avx512f"):
            return self._gathered(table, index & (len(numbers) - 1))
        halves = []
        for start in range(0, len(numbers), LANES):
            with self.builder.goto_entry_block():
                place = self.builder.gep(table, [i32(0), i32(start)], inbounds=True)
                place = self.builder.bitcast(place, ir.VectorType(f32, LANES).as_pointer())
            half = self.builder.load(place, align=4 * LANES)
            half.set_metadata("invariant.load", self.module.add_metadata([]))
            halves.append(half)
        if len(halves) == 1:
            operands, name = [halves[0], index.ir], "permvar.sf"
        else:
            operands, name = [halves[0], index.ir, halves[1]], "vpermi2var.ps"
        return Value(self, self._called(f"llvm.x86.avx512.{name}.512", halves[0].type, operands))

    def _looked_up(self, numbers: tuple[float, ...]) -> ir.GlobalVariable:
        """Table of its own, of external linkage for the same reason as the others."""
        table = self._lookups.get(numbers)
        if table is None:
            kind = ir.ArrayType(f32, len(numbers))
            table = ir.GlobalVariable(self.module, kind, f"lookup_{len(self._lookups)}")
            table.initializer = ir.Constant(kind, [f32(number) for number in numbers])
            table.align = 4 * LANES
            self._lookups[numbers] = table
        return table

    def _gathered(self, table: ir.GlobalVariable, index: Value) -> Value:
        """Look numbers up one by one, for processors that cannot do it at once."""
        builder = self.builder
        result = ir.Constant(ir.VectorType(f32, LANES), ir.Undefined)
        for lane in range(LANES):
            place = builder.extract_element(index.ir, i32(lane))
            number = builder.load(builder.gep(table, [i32(0), place], inbounds=True), align=4)
            result = builder.insert_element(result, number, i32(lane))
        return Value(self, result)

    def _called(self, name: str, kind: ir.Type, operands: Sequence[Any]) -> Any:
        function = self.module.globals.get(name)
        if function is None:
            shape = ir.FunctionType(kind, [operand.type for operand in operands])
            function = ir.Function(self.module, shape, name)
        return self.builder.call(function, operands)

    def lane_numbers(self) -> Value:
        """0, 1, ..., 15 in the order of ``lower_words``."""
        order = [*range(0, LANES, 2), *range(1, LANES, 2)]
        return Value(self, ir.Constant(ir.VectorType(i64, LANES), order))

    def pair(self, one: Value, other: Any) -> tuple[Value, Value]:
        """Two operands of one type, from a value and a value or plain number."""
        if not isinstance(other, Value):
            make = self.vector if one.is_vector else self.number
            return one, make(other, one.element)
        if one.is_vector and not other.is_vector:
            return one, other.splat()
        if other.is_vector and not one.is_vector:
            return one.splat(), other
        return one, other

    def load(self, array: Value, index: Value, *, vector: bool = True) -> Value:
        """Read the vector, or the number, that starts at an index of an array."""
        return Value(self, self.builder.load(self._address(array, index, vector), align=4))

    def store(self, array: Value, index: Value, value: Value) -> None:
        """Write a vector or a number at an index of an array."""
        self.builder.store(value.ir, self._address(array, index, value.is_vector), align=4)

    def _address(self, array: Value, index: Value, vector: bool) -> Any:
        address = self.builder.gep(array.ir, [index.ir])
        if not vector:
            return address
        return self.builder.bitcast(
            address, ir.VectorType(array.ir.type.pointee, LANES).as_pointer()
        )

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Value]:
        """Run for index = start, start + step, ... below stop."""
        builder = self.builder
        first = start if isinstance(start, Value) else self.number(start, i64)
        index = Variable(first)
        head, body, end = map(self.function.append_basic_block, ("head", "body", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        now = index.value
        builder.cbranch((now < stop).ir, body, end)
        builder.position_at_end(body)
        yield now
        index.value = now + step
        builder.branch(head)
        builder.position_at_end(end)

    @contextmanager
    def when(self, condition: Value, *, likely: bool | None = None) -> Iterator[None]:
        """Run if a condition holds."""
        with self.builder.if_then(condition.ir, likely=likely):
            yield

    @contextmanager
    def hopeful(self) -> Iterator[_Rare]:
        """Write code that leaves rare cases out, and notes whether one occurs.

        What is written inside must be written once more outside, under ``when(rare.happened)``.
        """
        self._rare = rare = _Rare()
        yield rare
        self._rare = None

    def abreast(self, parts: Sequence[Callable[[], None]]) -> None:
        """Write parts that do not need each other, one instruction of each in turn.

        A processor looks ahead by some dozens of instructions: written one after the other, each
        part would be computed alone and wait for its own results.
        """
        block, bounds = self.builder.block, list[int]()
        for part in parts:
            bounds.append(len(block.instructions))
            part()
        if self.builder.block is not block:
            return
        bounds.append(len(block.instructions))
        written = [block.instructions[low:high] for low, high in pairwise(bounds)]
        woven = [each for row in zip_longest(*written) for each in row if each is not None]
        block.instructions[bounds[0] :] = woven

    def rarely(self, rare: Value, usual: Value, name: str, *operands: Value) -> Value:
        """``usual`` but in rare cases, and there a function of the C library.

        The case is rare where a condition holds, or where a vector of ``i32`` has some of
        ``RARE_BITS``: noting it then takes one instruction.
        """
        if rare.element is not i32:
            rare = rare.select(self.vector(RARE_BITS, i32), 0)
        if self._rare is not None:
            self._rare.cases.append(rare)
            return usual
        result = Variable(usual)
        far = (rare & RARE_BITS).differs(0)
        with self.when(far.any_lane(), likely=False):
            result.value = far.select(self.by_lanes(name, *operands), usual)
        return result.value

    @contextmanager
    def choice(self, condition: Value) -> Iterator[tuple[Any, Any]]:
        """Two branches, ``with yes:`` and ``with no:``."""
        with self.builder.if_else(condition.ir) as branches:
            yield branches

    def smaller(self, one: Value, other: Any) -> Value:
        """Minimum of two integers."""
        return (one < other).select(one, other)

    def call(self, name: str, *operands: Value) -> Value:
        """Call a function of LLVM by its stem, as ``"fma"``, or ``"c:erf"`` of the C library."""
        kind = operands[0].ir.type
        if name.startswith("c:"):
            target = name[2:]
        else:
            stem = f"v{LANES}" if operands[0].is_vector else ""
            target = f"llvm.{name}.{stem}{'f32' if operands[0].element is f32 else 'f64'}"
        return Value(self, self._called(target, kind, [operand.ir for operand in operands]))

    def call_address(self, address: Value, kinds: Sequence[ir.Type], *operands: Value) -> None:
        """Call a function that returns nothing, at an address."""
        shape = ir.FunctionType(ir.VoidType(), list(kinds))
        function = self.builder.inttoptr(address.ir, shape.as_pointer())
        self.builder.call(function, [operand.ir for operand in operands])

    def as_words(self, array: Value) -> Value:
        """Array of floats as one of ``i32``, in the same memory."""
        return Value(self, self.builder.bitcast(array.ir, i32.as_pointer()))

    def place(self, array: Value, index: Value) -> Value:
        """Pointer to an element of an array."""
        return Value(self, self.builder.gep(array.ir, [index.ir]))

    def by_lanes(self, name: str, *operands: Value) -> Value:
        """A function of the C library, lane by lane in double precision."""
        element = operands[0].element
        with self.builder.goto_entry_block():
            places = [Value(self, self.builder.alloca(element, size=LANES)) for _ in operands]
        zero = self.number(0, i64)
        for place, operand in zip(places, operands, strict=True):
            self.store(place, zero, operand)
        with self.loop(0, LANES) as lane:
            numbers = [self.load(place, lane, vector=False) for place in places]
            if element is f32:
                numbers = [number.to_double() for number in numbers]
            result = self.call(f"c:{name}", *numbers)
            self.store(places[0], lane, result.to_single() if element is f32 else result)
        return self.load(places[0], zero)


def _constant(value: float, element: ir.Type) -> Any:
    return float(value) if element in _FLOATS else int(value)
