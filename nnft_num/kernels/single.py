"""The kernel of a plan in single precision: sixteen networks side by side, one in each lane.

For every four neurons (one call of the generator), or a few times four, parameters are drawn
into a small buffer, preactivations are summed over a tile of inputs in registers, and the
activation is applied point by point.  Sums are taken in single precision over at most ``TILE``
inputs or 4 ``GROUP`` neurons, and in double precision beyond.  A lane never meets another one: the
fields of a network do not depend on which networks are computed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nnft_num.kernels.halfturns import HALF_TURNS, in_half_turns, is_angle
from nnft_num.machine.draws import to_uniform, to_uniform_double
from nnft_num.machine.expressions import VectorExpression, keeps_digits
from nnft_num.machine.fill import FILL_NORMALS, FILL_WORDS
from nnft_num.machine.functions import SINGLE, fma
from nnft_num.machine.simd import LANES, Code, Value, Variable, f32, f64, i32, i64
from nnft_num.plans.layers import Dense, DrawRecipe, Neurons
from nnft_num.plans.plan import Plan, recipes
from nnft_sym.language import Call, Expression, Name, Number, evaluate

__all__ = ["ARGUMENTS", "VectorKernel"]

TILE = 32
"""Inputs whose weights are drawn and summed together."""

GROUP = 24
"""Fours of neurons taken together where the tile leaves room."""

FEW = 3
"""Inputs of a first layer up to which preactivations are summed where they are used."""

PRIMITIVE_BITS = 24
_L = LANES
_FOUR = 4 * _L

ARGUMENTS: dict[str, ir.Type] = {
    "fill_words": i64,
    "fill_normals": i64,
    "networks": i64,
    "start": i64,
    "points": i64,
    "dimension": i64,
    "keys": i64.as_pointer(),
    "widths": i64.as_pointer(),
    "scales": f32.as_pointer(),
    "singles": f32.as_pointer(),
    "doubles": f64.as_pointer(),
    "at_points": f32.as_pointer(),
    "X": f32.as_pointer(),
    "scaled_X": f32.as_pointer(),
    "work": f32.as_pointer(),
    "words": i32.as_pointer(),
    "sums": f64.as_pointer(),
    "out": f64.as_pointer(),
}
"""Arguments of every kernel."""


_Named = tuple[dict[str, Value], Expression]
_AtPoint = Callable[[Value], _Named]
_Neuron = Callable[[Any, Value], _AtPoint]


class VectorKernel:
    """Writes the kernel of one plan, and knows what memory and which scalars it needs.

    Parameters
    ----------
    plan : Plan
        The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.turned = [
            isinstance(layer, Dense) and is_angle(layer.activation) for layer in plan.layers
        ]
        self.last = len(plan.layers) - 1
        self.singles: dict[Expression, int] = {}
        self.doubles: dict[Expression, int] = {}
        self.points_scalars: dict[Expression, int] = {}
        first = plan.layers[0]
        named = 1 if isinstance(first, Dense) else sum(len(draw.names) for draw in first.draws)
        weights = [layer.weight for layer in plan.layers if isinstance(layer, Dense)]
        rows = [len(weight.components) for weight in weights]
        tiled = [weight.primitives for weight in weights if len(weight.components) == 1]
        self.drawn = _FOUR * max(TILE, GROUP * max(FEW, named, *rows))
        self.primitives = _FOUR * max(
            max(TILE, FEW * GROUP) * max([1, *tiled]),
            GROUP * max([1, *(recipe.primitives for recipe in recipes(plan))]),
        )
        self.code = Code("kernel", ARGUMENTS)
        self.given = self.code.arguments
        self._offsets()
        self._networks()
        self.text = self.code.finish()

    def workspace(self, points: int, widths: Sequence[int]) -> tuple[int, int, int]:
        """Count the float32, int32 and float64 numbers the kernel works in."""
        fields = points * self.plan.outputs * _L
        hidden = sum(4 * -(-width // 4) * points * _L for width in widths[:-1])
        group = GROUP * _FOUR
        buffers = self.drawn + self.primitives + group * (1 + self.plan.outputs + points)
        return buffers + fields + hidden, self.primitives, points * _FOUR + fields

    def scalars(
        self, params: Mapping[str, float], X: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Values of the scalars: for single, for double precision, and (.., n) at the points."""
        first, points = self.plan.layers[0], len(X)
        names: dict[str, Any] = dict(params)
        if isinstance(first, Neurons):
            names |= {name: X[:, j] for j, name in enumerate(first.inputs)}
        else:
            seen = dict(params) | {"norm2": np.sum(X**2, axis=1), "d": float(X.shape[1])}
            names |= {name: evaluate(expression, seen) for name, expression in first.locals}
        with np.errstate(all="ignore"):
            at_points = [
                np.broadcast_to(evaluate(part, names), points) for part in self.points_scalars
            ]
            singles = [float(evaluate(part, params)) for part in self.singles]
            doubles = [float(evaluate(part, params)) for part in self.doubles]
        table = np.array(at_points).reshape(len(at_points), points)
        return np.array(singles), np.array(doubles), table

    def _scalar(self, table: dict[Expression, int], argument: str, part: Expression) -> Value:
        position = table.setdefault(part, len(table))
        return self.code.load(self.given[argument], self._number(position), vector=False)

    def _single(self, part: Expression) -> Value:
        return self._scalar(self.singles, "singles", part)

    def _double(self, part: Expression) -> Value:
        return self._scalar(self.doubles, "doubles", part)

    def _at_point(self, part: Expression, point: Value) -> Value:
        """Scalar that may have coordinates or locals of a point."""
        first = self.plan.layers[0]
        own = set(first.inputs) if isinstance(first, Neurons) else {n for n, _ in first.locals}
        if part.names.isdisjoint(own):
            return self._single(part)
        position = self.points_scalars.setdefault(part, len(self.points_scalars))
        index = self.given["points"] * position + point
        return self.code.load(self.given["at_points"], index, vector=False)

    def _number(self, value: int) -> Value:
        return self.code.number(value, i64)

    def _offsets(self) -> None:
        """Where the buffers lie in the workspace: all at multiples of sixteen."""
        points, outputs = self.given["points"], self.plan.outputs
        self.fields = points * (outputs * _L)
        self.at_W, self.at_G = 0, self.drawn
        self.at_B = self.at_G + self.primitives
        self.at_V = self.at_B + GROUP * _FOUR
        self.at_Z = self.at_V + GROUP * _FOUR * outputs
        self.at_O = points * (GROUP * _FOUR) + self.at_Z
        self.at_H = [self.at_O + self.fields]
        self.widths = [
            self.code.load(self.given["widths"], self._number(index), vector=False)
            for index in range(len(self.plan.layers))
        ]
        for width in self.widths[:-1]:
            self.at_H.append(self.at_H[-1] + ((width + 3) >> 2) * points * _FOUR)
        self.in_O = points * _FOUR

    def _load(self, index: Value) -> Value:
        return self.code.load(self.given["work"], index)

    def _store(self, index: Value, value: Value) -> None:
        self.code.store(self.given["work"], index, value)

    def _load_sum(self, index: Value) -> Value:
        return self.code.load(self.given["sums"], index)

    def _store_sum(self, index: Value, value: Value) -> None:
        self.code.store(self.given["sums"], index, value)

    def _networks(self) -> None:
        code, given = self.code, self.given
        with code.loop(0, given["networks"], _L) as batch:
            self.batch = batch
            self.first_network = given["start"] + batch
            with code.loop(0, self.fields, _L) as element:
                self._store_sum(self.in_O + element, code.vector(0.0, f64))
                self._store(self.at_O + element, code.vector(0.0, f32))
            for index, layer in enumerate(self.plan.layers):
                if isinstance(layer, Dense) and self.turned[index]:
                    self._layer(index, in_half_turns(layer))
                else:
                    self._layer(index, layer)
            self._outputs()

    def _layer(self, index: int, layer: Dense | Neurons) -> None:
        code = self.code
        blocks = (self.widths[index] + 3) >> 2
        group = self._number(GROUP)
        if isinstance(layer, Dense):
            self.fan_in = self.widths[index - 1] if index else self.given["dimension"]
            place = self._number(index)
            self.scale = code.load(self.given["scales"], place, vector=False)
            room = FEW * GROUP if index == 0 else TILE
            group = code.smaller(self._number(room) // self.fan_in, GROUP)
            group = (group < 1).select(self._number(1), group)
        block = Variable(self._number(0))
        with code.loop(0, (blocks + group - 1) // group):
            self.block = block.value
            self.count = code.smaller(blocks - self.block, group)
            if isinstance(layer, Dense):
                if layer.bias is not None:
                    self._draw(layer.bias, self._address(2 * index + 1), 1, self.at_B)
            else:
                self._named_draws(layer)
            if index == self.last:
                self._readouts()
            if isinstance(layer, Dense) and index == 0:
                self._first_layer(layer)
            elif isinstance(layer, Dense):
                self._preactivations(index, layer)
                self._activate(index, layer, self._long_sum)
            else:
                self._activate(index, layer, self._neuron)
            if index == self.last:
                with code.loop(0, self.fields, _L) as element:
                    part = self._load(self.at_O + element).to_double()
                    self._store_sum(self.in_O + element, self._load_sum(self.in_O + element) + part)
                    self._store(self.at_O + element, code.vector(0.0, f32))
            block.value = self.block + self.count

    def _first_layer(self, layer: Dense, inputs: int = 1) -> None:
        """Layer of so many inputs, or of more."""
        with self.code.choice(self.fan_in.equals(inputs)) as (so_many, more):
            with so_many:
                self._draw_weights(0, layer, self._number(0), self._number(inputs))
                self._activate(0, layer, partial(self._short_sum, inputs=inputs))
            with more:
                if inputs < FEW:
                    self._first_layer(layer, inputs + 1)
                else:
                    self._preactivations(0, layer)
                    self._activate(0, layer, self._long_sum)

    def _readouts(self) -> None:
        primitive = 0
        for output, recipe in enumerate(self.plan.weights):
            at = self.at_V + output * GROUP * _FOUR
            self._draw(recipe, self._address(2 * self.last + 2, primitive), 1, at)
            primitive += recipe.primitives

    def _activate(self, index: int, layer: Dense | Neurons, neuron: _Neuron) -> None:
        """Apply the activation to a group of neurons at all points, and add up the outputs."""
        code = self.code
        with code.loop(0, self.count) as four:
            rows = code.smaller(self.widths[index] - (self.block + four) * 4, 4)
            with code.choice(rows.equals(4)) as (all_four, fewer):
                with all_four:
                    self._rows(index, layer, neuron, [four * 4 + row for row in range(4)])
                with fewer, code.loop(0, rows) as row:
                    self._rows(index, layer, neuron, [four * 4 + row])

    def _rows(self, index: int, layer: Dense | Neurons, neuron: _Neuron, rows: list[Value]) -> None:
        """Apply the activation to a few neurons, whose parameters stay in registers."""
        code, outputs = self.code, self.plan.outputs if index == self.last else 0
        neurons = [neuron(layer, row) for row in rows]
        functions = HALF_TURNS if self.turned[index] else SINGLE
        readouts = [
            [self._buffer(self.at_V + output * GROUP * _FOUR, row) for output in range(outputs)]
            for row in rows
        ]
        with code.loop(0, self.given["points"]) as point:
            totals = [(point * outputs + output) * _L + self.at_O for output in range(outputs)]

            def every_row(point: Value = point, totals: list[Value] = totals) -> None:
                found: dict[int, Value] = {}

                def one_row(number: int) -> None:
                    names, expression = neurons[number](point)
                    scalar = partial(self._at_point, point=point)
                    writer = VectorExpression(code, names, scalar, functions=functions)
                    h = writer.vector(expression)
                    if index < self.last:
                        place = (self.block * 4 + rows[number]) * self.given["points"] + point
                        self._store(place * _L + self.at_H[index], h)
                    found[number] = h

                code.abreast([partial(one_row, number) for number in range(len(rows))])
                sums = [self._load(total) for total in totals]
                for number, weights in enumerate(readouts):
                    h = found[number]
                    sums = [fma(v, h, total) for v, total in zip(weights, sums, strict=True)]
                results.extend(zip(totals, sums, strict=True))

            results: list[tuple[Value, Value]] = []
            with code.hopeful() as rare:
                every_row()
            if rare.is_possible:
                kept = [(place, Variable(total)) for place, total in results]
                with code.when(rare.happened, likely=False):
                    results = []
                    every_row()
                    for (_, variable), (_, total) in zip(kept, results, strict=True):
                        variable.value = total
                results = [(place, variable.value) for place, variable in kept]
            for place, total in results:
                self._store(place, total)

    def _buffer(self, at: int, row: Value) -> Value:
        """Load what was drawn for one row of the group of neurons."""
        return self._load(row * _L + at)

    def _short_sum(self, layer: Dense, row: Value, inputs: int) -> _AtPoint:
        """Preactivation of a neuron of few inputs, from its weights."""
        code, given = self.code, self.given
        bias = code.vector(0.0, f32) if layer.bias is None else self._buffer(self.at_B, row)
        at = (row >> 2) * (inputs * _FOUR) + (row & 3) * _L + self.at_W
        weights = [self._load(at + j * _FOUR) for j in range(inputs)]

        def at_point(point: Value) -> _Named:
            z = bias
            for j, weight in enumerate(weights):
                x = code.load(given["scaled_X"], given["points"] * j + point, vector=False)
                z = fma(weight, x, z)
            return {"z": z}, layer.activation

        return at_point

    def _long_sum(self, layer: Dense, row: Value) -> _AtPoint:
        """Preactivation of a neuron from the sums in Z."""
        bias = None if layer.bias is None else self._buffer(self.at_B, row)

        def at_point(point: Value) -> _Named:
            z = self._load((row * self.given["points"] + point) * _L + self.at_Z)
            return {"z": z * self.scale if bias is None else fma(z, self.scale, bias)}, activation

        activation = layer.activation
        return at_point

    def _neuron(self, layer: Neurons, row: Value) -> _AtPoint:
        """Parameters of a neuron given by an expression."""
        drawn = [name for draw in layer.draws for name in draw.names]
        names = {
            name: self._buffer(self.at_W + position * GROUP * _FOUR, row)
            for position, name in enumerate(drawn)
        }
        return lambda point: (names, layer.neuron)

    def _draw_weights(self, index: int, layer: Dense, first: Value, inputs: Value) -> None:
        """Draw the weights of some inputs, or of all of them if they come in rows."""
        recipe, address = layer.weight, self._address(2 * index)
        if len(recipe.components) > 1:
            self._draw(recipe, address, 1, self.at_W)
        else:
            self._draw(recipe, first * recipe.primitives + address, inputs, self.at_W)

    def _preactivations(self, index: int, layer: Dense) -> None:
        """Sums over the inputs, for a group of fours of neurons and all points, into Z."""
        code, recipe, points = self.code, layer.weight, self.given["points"]
        row = len(recipe.components) > 1
        if row:
            self._draw_weights(index, layer, self._number(0), self.fan_in)
        several = self._number(TILE) < self.fan_in
        with code.loop(0, self.fan_in, TILE) as first:
            inputs = code.smaller(self.fan_in - first, TILE)
            if not row:
                self._draw_weights(index, layer, first, inputs)
            step, offset = (self.fan_in, first) if row else (inputs, self._number(0))
            with code.loop(0, self.count) as four:
                weights = (four * step + offset) * _FOUR + self.at_W
                done = Variable(self._number(0))
                for width in (4, 2, 1):
                    with code.loop(0, (points - done.value) // width):
                        point = done.value
                        sums = self._micro_kernel(index, width, weights, first, inputs, point)
                        self._keep(sums, several, first, four, point)
                        done.value = point + width
        with code.when(several), code.loop(0, points * _FOUR, _L) as element:
            self._store(self.at_Z + element, self._load_sum(element).to_single())

    def _micro_kernel(
        self, index: int, width: int, weights: Value, first: Value, inputs: Value, point: Value
    ) -> dict[tuple[int, int], Value]:
        """Four neurons times a few points, summed over the inputs of a tile in registers."""
        code, points = self.code, self.given["points"]
        zero = code.vector(0.0, f32)
        sums = {(lane, p): Variable(zero) for lane in range(4) for p in range(width)}
        with code.loop(0, inputs) as j:
            w = [self._load(weights + j * _FOUR + lane * _L) for lane in range(4)]
            element = (first + j) * points + point
            x = []
            for p in range(width):
                if index:
                    x.append(self._load((element + p) * _L + self.at_H[index - 1]))
                else:
                    x.append(code.load(self.given["X"], element + p, vector=False))
            for (lane, p), total in sums.items():
                total.value = fma(w[lane], x[p], total.value)
        return {key: total.value for key, total in sums.items()}

    def _keep(
        self,
        sums: dict[tuple[int, int], Value],
        several: Value,
        first: Value,
        four: Value,
        point: Value,
    ) -> None:
        """Store the sums of one tile, or add them to those of the tiles before."""
        points = self.given["points"]
        with self.code.choice(several) as (long, short):
            with long, self.code.choice(first.equals(0)) as (begin, add):
                with begin:
                    for (lane, p), total in sums.items():
                        self._store_sum((points * lane + point + p) * _L, total.to_double())
                with add:
                    for (lane, p), total in sums.items():
                        place = (points * lane + point + p) * _L
                        self._store_sum(place, self._load_sum(place) + total.to_double())
            with short:
                for (lane, p), total in sums.items():
                    place = ((four * 4 + lane) * points + point + p) * _L
                    self._store(place + self.at_Z, total)

    def _named_draws(self, layer: Neurons) -> None:
        primitive = slot = 0
        for draw in layer.draws:
            for _ in range(draw.events):
                at = self.at_W + slot * GROUP * _FOUR
                self._draw(draw.recipe, self._address(0, primitive), 1, at, apart=True)
                primitive += draw.recipe.primitives
                slot += len(draw.recipe.components)

    def _outputs(self) -> None:
        code, points, outputs = self.code, self.given["points"], self.plan.outputs
        place = self._number(len(self.plan.layers))
        factor = code.load(self.given["scales"], place, vector=False).to_double()
        present = code.smaller(self.given["networks"] - self.batch, _L)
        self.block, self.count = self._number(0), self._number(1)
        primitive = 0
        for output, recipe in enumerate(self.plan.biases):
            shift = code.vector(0.0, f64)
            if recipe is not None:
                self._draw(recipe, self._address(2 * self.last + 3, primitive), 1, self.at_B)
                primitive += recipe.primitives
                shift = self._load(self._number(self.at_B)).to_double()
            with code.loop(0, points) as point:
                total = (point * outputs + output) * _L + self.in_O
                self._store_sum(total, fma(self._load_sum(total), factor, shift))
        with code.loop(0, present) as lane, code.loop(0, points * outputs) as field:
            value = code.load(self.given["sums"], self.in_O + field * _L + lane, vector=False)
            index = (self.batch + lane) * (points * outputs) + field
            code.store(self.given["out"], index, value)

    def _address(self, parameter: int, primitive: int = 0) -> Value:
        return self._number((parameter << PRIMITIVE_BITS) + primitive)

    def _draw(
        self, recipe: DrawRecipe, address: Value, events: Any, at: int, *, apart: bool = False
    ) -> None:
        """Draw events for the ``count`` fours of neurons from ``block`` on.

        Component c of event e of four b goes to ``at`` + ((b * events + e) * components + c) * 64,
        the four neurons one after another; if ``apart``, each component has a buffer of its own.
        """
        code, words = self.code, self.given["words"]
        stride = _FOUR * (max(TILE, FEW * GROUP) if isinstance(events, Value) else GROUP)
        events = events if isinstance(events, Value) else self._number(events)
        scale = _deviation(recipe)
        if scale is not None:
            self._fill_normals(at, self._single(scale), recipe, address, events)
            return
        for position in range(recipe.primitives):
            first = address + position
            if position < recipe.normals:
                target = position * stride + self.at_G
                self._fill_normals(target, code.number(1.0, f32), recipe, first, events)
            else:
                place = code.place(words, self._number(position * stride))
                self._fill("fill_words", FILL_WORDS, [place], recipe, first, events)
        with code.loop(0, self.count * events * _FOUR, _L) as element:
            names = {}
            for position, name in enumerate(recipe.names):
                where = element + position * stride
                if position < recipe.normals:
                    names[name] = self._load(where + self.at_G)
                else:
                    names[name] = code.load(words, where)
            self._components(recipe, names, at, element, apart)

    def _fill_normals(
        self, at: int, scale: Value, recipe: DrawRecipe, first: Value, events: Value
    ) -> None:
        target = self.code.place(self.given["work"], self._number(at))
        self._fill("fill_normals", FILL_NORMALS, [target, scale], recipe, first, events)

    def _fill(
        self,
        name: str,
        kinds: Mapping[str, ir.Type],
        to: list[Value],
        recipe: DrawRecipe,
        first: Value,
        events: Value,
    ) -> None:
        """Call a function of ``nnft_num.machine.fill`` for the neurons at hand."""
        given, stride = self.given, self._number(recipe.primitives)
        places = (given["keys"], self.first_network, self.block, self.count)
        self.code.call_address(
            given[name], list(kinds.values()), *to, *places, first, stride, events
        )

    def _components(
        self, recipe: DrawRecipe, drawn: dict[str, Value], at: int, element: Value, apart: bool
    ) -> None:
        """Evaluate components at one vector of primitives; uniforms come as their words."""
        uniforms = set(recipe.names[recipe.normals :])
        double = not all(keeps_digits(component, uniforms) for component in recipe.components)
        names = {}
        for name, value in drawn.items():
            if name in uniforms:
                names[name] = to_uniform_double(value) if double else to_uniform(value)
            else:
                names[name] = value.to_double() if double else value
        hoist = self._double if double else self._single
        writer = VectorExpression(self.code, names, hoist, double=double)
        count = len(recipe.components)
        for slot, component in enumerate(recipe.components):
            value = writer.vector(component)
            if apart:
                target = element + slot * GROUP * _FOUR
            elif count == 1:
                target = element
            else:
                # element = event * 64 + neuron * 16: the components stand between the two
                target = ((element >> 6) * count + slot) * _FOUR + (element & (_FOUR - 1))
            self._store(target + at, value.to_single() if double else value)


def _deviation(recipe: DrawRecipe) -> Expression | None:
    """Standard deviation of a draw that is a multiple of one normal, None for other draws."""
    if recipe.normals != 1 or recipe.primitives != 1 or len(recipe.components) != 1:
        return None
    (normal,), (component,) = recipe.names, recipe.components
    if component == Name(normal):
        return Number(1)
    if isinstance(component, Call) and component.function == "*":
        one, other = component.arguments
        for factor, rest in ((one, other), (other, one)):
            if factor == Name(normal) and normal not in rest.names:
                return rest
    return None
