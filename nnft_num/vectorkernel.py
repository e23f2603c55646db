"""The kernel of a plan in single precision: sixteen networks side by side, one in each lane.

For every four neurons (one call of the generator) or a few times four: their parameters are drawn
into a small buffer, their preactivations are summed over a tile of inputs in registers, and the
activation is applied point by point.  Sums are taken in single precision over at most ``TILE``
inputs or 4 ``GROUP`` neurons, and in double precision beyond.  A lane never meets another one: the
fields of a network do not depend on which networks are computed beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnft_num import simd, vectordraws, vectormath
from nnft_num.draws import PRIMITIVE_BITS
from nnft_num.layers import Dense, DrawRecipe, Neurons
from nnft_num.plans import Plan
from nnft_num.vectorsource import VectorSource, has_kept_digits
from nnft_sym.language import Expression, scalar_source

__all__ = ["NAMESPACE", "VectorKernel"]

TILE = 32
"""Inputs whose weights are drawn and summed together."""

GROUP = 8
"""Fours of neurons taken together where the tile leaves room."""

_L = simd.LANES
_FOUR = 4 * _L

NAMESPACE: dict[str, Any] = {
    "_np": np,
    "_range": range,
    "_float": float,
    "_min": min,
    "_max": max,
    "_load": simd.load,
    "_store": simd.store,
    "_fma": simd.fma,
    "_select": simd.select,
    "_power": simd.power,
    "_lanes": simd.lanes,
    "_to_double": simd.to_double,
    "_to_single": simd.to_single,
    "_wide_word": simd.wide_word,
    "_s_splat": simd.splat,
    "_d_splat": simd.splat_double,
    "_begin": vectordraws.begin,
    "_fill_words": vectordraws.fill_words,
    "_pair": vectordraws.pair,
    "_uniform": vectordraws.to_uniform,
    "_uniform_double": vectordraws.to_uniform_double,
    **{f"_s_{name}": function for name, function in vectormath.SINGLE.items()},
    **{f"_d_{name}": function for name, function in vectormath.DOUBLE.items()},
}
"""What the names of the source mean, besides those of the scalar functions."""


class VectorKernel:
    """Writes the kernel of one plan, line by line, and knows what memory it needs.

    Parameters
    ----------
    plan : Plan
        The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lines: list[str] = []
        self.depth = 1
        self.scalars: dict[str, str] = {}
        self.point_scalars: dict[str, tuple[str, Expression]] = {}
        self.last = len(plan.layers) - 1
        first = plan.layers[0]
        named = 1 if isinstance(first, Dense) else sum(len(draw.names) for draw in first.draws)
        rows = [len(layer.weight.components) for layer in plan.layers if isinstance(layer, Dense)]
        self.drawn = _FOUR * max(TILE, GROUP * max(named, *rows, 1))
        tiles = [layer.weight for layer in plan.layers if isinstance(layer, Dense)]
        self.primitives = _FOUR * max(
            TILE * max([1, *(r.primitives for r in tiles if len(r.components) == 1)]),
            GROUP * max([1, *(recipe.primitives for recipe in recipes(plan))]),
        )
        self.body()

    def workspace(self, points: int, dimension: int, widths: Sequence[int]) -> tuple[int, int, int]:
        """Count the float32, int32 and float64 numbers the kernel works in."""
        fields = points * self.plan.outputs * _L
        hidden = sum(4 * -(-width // 4) * points * _L for width in widths[:-1])
        group = GROUP * _FOUR
        buffers = self.drawn + self.primitives + group * (1 + self.plan.outputs + points)
        scalars = points * (dimension + len(self.point_scalars))
        return buffers + fields + hidden + scalars, self.primitives, points * _FOUR + fields

    # -- text ---------------------------------------------------------------------------------

    def put(self, *lines: str) -> None:
        self.lines.extend("    " * self.depth + line for line in lines)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.put(head)
        self.depth += 1
        yield
        self.depth -= 1

    def source(self) -> str:
        head = "def _kernel(_k0, _k1, _start, _X, _values, _widths, _work, _words, _sums, _out):"
        return "\n".join([head, *self.beginning(), *self.lines]) + "\n"

    # -- scalars computed once ----------------------------------------------------------------

    def hoist(self, part: Expression) -> str:
        """Scalar that holds an expression of parameters, for single-precision vectors."""
        return self.scalars.setdefault(f"_np.float32({scalar_source(part)})", f"_q{len(self.scalars)}")

    def hoist_double(self, part: Expression) -> str:
        return self.scalars.setdefault(scalar_source(part), f"_q{len(self.scalars)}")

    def at_points(self, part: Expression) -> str:
        """Scalar that holds an expression which also has coordinates or locals of a point."""
        first = self.plan.layers[0]
        names = set(first.inputs) if isinstance(first, Neurons) else {n for n, _ in first.locals}
        if not part.names & names:
            return self.hoist(part)
        position = len(self.point_scalars)
        name, _ = self.point_scalars.setdefault(scalar_source(part), (f"_p{position}", part))
        return name

    def load_points(self) -> None:
        """Bring the scalars of point _a into their names."""
        for position, (name, _) in enumerate(self.point_scalars.values()):
            self.put(f"{name} = _work[_at_P + {position} * _points + _a]")

    def beginning(self) -> list[str]:
        """Everything before the loop over networks; written last, when the scalars are known."""
        body, self.lines, self.depth = self.lines, [], 1
        plan, first = self.plan, self.plan.layers[0]
        self.put("_points = _X.shape[0]", "_dimension = _X.shape[1]", "d = _float(_dimension)")
        self.put("_fields = _points * %d" % (plan.outputs * _L))
        for position, name in enumerate(plan.parameters):
            self.put(f"{name} = _values[{position}]")
        for text, name in self.scalars.items():
            self.put(f"{name} = {text}")
        self.buffers()
        with self.block("for _a in _range(_points):"):
            with self.block("for _j in _range(_dimension):"):
                self.put("_work[_at_X + _j * _points + _a] = _X[_a, _j]")
            if isinstance(first, Neurons):
                for position, name in enumerate(first.inputs):
                    self.put(f"{name} = _X[_a, {position}]")
            elif first.locals:
                self.put("norm2 = 0.0")
                with self.block("for _j in _range(_dimension):"):
                    self.put("norm2 += _X[_a, _j] * _X[_a, _j]")
                for name, expression in first.locals:
                    self.put(f"{name} = {scalar_source(expression)}")
            for position, text in enumerate(self.point_scalars):
                self.put(f"_work[_at_P + {position} * _points + _a] = {text}")
        beginning, self.lines = self.lines, body
        return beginning

    def buffers(self) -> None:
        """Offsets into the workspace, all multiples of sixteen."""
        plan = self.plan
        self.put("_at_W = 0", f"_at_G = {self.drawn}", f"_at_B = _at_G + {self.primitives}")
        self.put(f"_at_V = _at_B + {GROUP * _FOUR}")
        self.put(f"_at_Z = _at_V + {GROUP * _FOUR * plan.outputs}")
        self.put(f"_at_O = _at_Z + {GROUP * _FOUR} * _points")
        self.put("_at_H0 = _at_O + _fields")
        for index in range(self.last):
            size = f"(_widths[{index}] + 3) // 4 * 4 * _points * {_L}"
            self.put(f"_at_H{index + 1} = _at_H{index} + {size}")
        self.put(f"_at_X = _at_H{self.last}", "_at_P = _at_X + _points * _dimension")
        self.put(f"_in_O = _points * {_FOUR}")

    # -- networks -----------------------------------------------------------------------------

    def body(self) -> None:
        plan = self.plan
        with self.block(f"for _batch in _range(0, _out.shape[0], {_L}):"):
            self.put("_number = _start + _np.uint64(_batch)")
            self.put("_c3 = _number >> _np.uint64(32)")
            self.put("_first, _second = _begin(_number + _lanes(), _k0)")
            with self.block(f"for _e in _range(0, _fields, {_L}):"):
                self.put("_store(_sums, _in_O + _e, _d_splat(0.0))")
                self.put("_store(_work, _at_O + _e, _s_splat(0.0))")
            for index, layer in enumerate(plan.layers):
                self.layer(index, layer)
            self.outputs()

    def layer(self, index: int, layer: Dense | Neurons) -> None:
        self.put(f"_blocks = (_widths[{index}] + 3) // 4")
        if isinstance(layer, Dense):
            self.put(f"_fan_in = {f'_widths[{index - 1}]' if index else '_dimension'}")
            self.put("_scale = _np.float32(1.0 / _np.sqrt(_float(_fan_in)))")
            self.put(f"_group = _max(1, _min({GROUP}, {TILE} // _fan_in))")
        else:
            self.put(f"_group = {GROUP}")
        with self.block("for _block in _range(0, _blocks, _group):"):
            self.put("_count = _min(_group, _blocks - _block)", "_c0 = _np.uint64(_block)")
            if isinstance(layer, Dense):
                self.preactivations(index, layer)
                if layer.bias is not None:
                    self.draw(layer.bias, 2 * index + 1, "0", "1", "_at_B")
            else:
                self.named_draws(layer)
            if index == self.last:
                primitive = 0
                for output, recipe in enumerate(self.plan.weights):
                    at = f"_at_V + {output * GROUP * _FOUR}"
                    self.draw(recipe, 2 * len(self.plan.layers), str(primitive), "1", at)
                    primitive += recipe.primitives
            with self.block("for _b in _range(_count):"):
                self.put(f"_rows = _min(4, _widths[{index}] - 4 * (_block + _b))")
                with self.block("for _a in _range(_points):"):
                    self.activations(index, layer)
            if index == self.last:
                with self.block(f"for _e in _range(0, _fields, {_L}):"):
                    self.put("_part = _to_double(_load(_work, _at_O + _e))")
                    self.put("_store(_sums, _in_O + _e, _load(_sums, _in_O + _e) + _part)")
                    self.put("_store(_work, _at_O + _e, _s_splat(0.0))")

    def activations(self, index: int, layer: Dense | Neurons) -> None:
        """Apply the activation to the neurons of one four at one point, and add up the outputs."""
        marker = len(self.lines)
        outputs = range(self.plan.outputs) if index == self.last else ()
        for output in outputs:
            self.put(f"_sum{output} = _load(_work, _at_O + (_a * {self.plan.outputs} + {output}) * {_L})")
        with self.block("for _r in _range(_rows):"):
            if isinstance(layer, Dense):
                self.put(f"z = _load(_work, _at_Z + ((_b * 4 + _r) * _points + _a) * {_L})")
                if layer.bias is None:
                    self.put("z = z * _scale")
                else:
                    self.put(f"z = _fma(z, _scale, _load(_work, _at_B + (_b * 4 + _r) * {_L}))")
                varying, expression = {"z"}, layer.activation
            else:
                names = [name for draw in layer.draws for name in draw.names]
                for position, name in enumerate(names):
                    at = f"(({position} * {GROUP} + _b) * 4 + _r) * {_L}"
                    self.put(f"{name} = _load(_work, _at_W + {at})")
                varying, expression = set(names), layer.neuron
            writer = VectorSource(varying=varying, hoist=self.at_points, prefix="_s_")
            self.put(f"_h = {writer.vector(expression)}")
            if index < self.last:
                at = f"((4 * (_block + _b) + _r) * _points + _a) * {_L}"
                self.put(f"_store(_work, _at_H{index} + {at}, _h)")
            for output in outputs:
                at = f"(({output} * {GROUP} + _b) * 4 + _r) * {_L}"
                self.put(f"_sum{output} = _fma(_load(_work, _at_V + {at}), _h, _sum{output})")
        for output in outputs:
            self.put(f"_store(_work, _at_O + (_a * {self.plan.outputs} + {output}) * {_L}, _sum{output})")
        body, self.lines = self.lines[marker:], self.lines[:marker]
        self.load_points()
        self.lines += body

    def preactivations(self, index: int, layer: Dense) -> None:
        """Sums over the inputs, for a group of fours of neurons and all points, into Z."""
        recipe = layer.weight
        row = len(recipe.components) > 1
        if row:
            self.draw(recipe, 2 * index, "0", "1", "_at_W")
        self.put(f"_several = _fan_in > {TILE}")
        with self.block(f"for _j0 in _range(0, _fan_in, {TILE}):"):
            self.put(f"_inputs = _min({TILE}, _fan_in - _j0)")
            if row:
                self.put("_step = _fan_in", "_from = _j0")
            else:
                primitive = f"_j0 * {recipe.primitives}"
                self.draw(recipe, 2 * index, primitive, "_inputs", "_at_W")
                self.put("_step = _inputs", "_from = 0")
            with self.block("for _b in _range(_count):"):
                self.put(f"_row = _at_W + (_b * _step + _from) * {_FOUR}", "_a = 0")
                for points in (4, 2, 1):
                    with self.block(f"while _a + {points} <= _points:"):
                        self.micro_kernel(index, points)
                        self.put(f"_a += {points}")
        with self.block("if _several:"):
            with self.block(f"for _e in _range(0, _points * {_FOUR}, {_L}):"):
                self.put("_store(_work, _at_Z + _e, _to_single(_load(_sums, _e)))")

    def micro_kernel(self, index: int, points: int) -> None:
        """Four neurons times a few points, summed over the inputs of a tile in registers."""
        pairs = [(lane, p) for lane in range(4) for p in range(points)]
        for lane, p in pairs:
            self.put(f"_s{lane}{p} = _s_splat(0.0)")
        with self.block("for _j in _range(_inputs):"):
            for lane in range(4):
                self.put(f"_w{lane} = _load(_work, _row + _j * {_FOUR} + {lane * _L})")
            for p in range(points):
                element = f"(_j0 + _j) * _points + _a + {p}"
                if index:
                    self.put(f"_x{p} = _load(_work, _at_H{index - 1} + ({element}) * {_L})")
                else:
                    self.put(f"_x{p} = _s_splat(_work[_at_X + {element}])")
            for lane, p in pairs:
                self.put(f"_s{lane}{p} = _fma(_w{lane}, _x{p}, _s{lane}{p})")
        with self.block("if _several:"):
            with self.block("if _j0 == 0:"):
                for lane, p in pairs:
                    at = f"({lane} * _points + _a + {p}) * {_L}"
                    self.put(f"_store(_sums, {at}, _to_double(_s{lane}{p}))")
            with self.block("else:"):
                for lane, p in pairs:
                    at = f"({lane} * _points + _a + {p}) * {_L}"
                    self.put(f"_store(_sums, {at}, _load(_sums, {at}) + _to_double(_s{lane}{p}))")
        with self.block("else:"):
            for lane, p in pairs:
                at = f"((_b * 4 + {lane}) * _points + _a + {p}) * {_L}"
                self.put(f"_store(_work, _at_Z + {at}, _s{lane}{p})")

    def named_draws(self, layer: Neurons) -> None:
        primitive = slot = 0
        for draw in layer.draws:
            components = len(draw.recipe.components)
            for _ in range(draw.events):
                at = f"_at_W + {slot * GROUP * _FOUR}"
                self.draw(draw.recipe, 0, str(primitive), "1", at, apart=GROUP * _FOUR)
                primitive += draw.recipe.primitives
                slot += components

    def outputs(self) -> None:
        self.put(f"_factor = 1.0 / _np.sqrt(_float(_widths[{self.last}]))", "_c0 = _np.uint64(0)")
        self.put("_count = 1", f"_present = _min({_L}, _out.shape[0] - _batch)")
        primitive = 0
        for output, recipe in enumerate(self.plan.biases):
            if recipe is None:
                self.put("_shift = _d_splat(0.0)")
            else:
                parameter = 2 * len(self.plan.layers) + 1
                self.draw(recipe, parameter, str(primitive), "1", "_at_B")
                primitive += recipe.primitives
                self.put("_shift = _to_double(_load(_work, _at_B))")
            with self.block("for _a in _range(_points):"):
                at = f"_in_O + (_a * {self.plan.outputs} + {output}) * {_L}"
                self.put(f"_store(_sums, {at}, _fma(_load(_sums, {at}), _factor, _shift))")
                with self.block("for _r in _range(_present):"):
                    self.put(f"_out[_batch + _r, _a, {output}] = _sums[{at} + _r]")

    # -- draws --------------------------------------------------------------------------------

    def draw(
        self,
        recipe: DrawRecipe,
        parameter: int,
        primitive: str,
        events: str,
        at: str,
        apart: int | None = None,
    ) -> None:
        """Draw events for the ``_count`` fours of neurons from ``_block`` on.

        Component c of event e of four b goes to ``at`` + ((b * events + e) * components + c) * 64,
        the four neurons one after another; if ``apart`` is given, to
        ``at`` + c * apart + (b * events + e) * 64.
        """
        primitives, names = recipe.primitives, recipe.names
        stride = _FOUR * (GROUP if events == "1" else TILE)
        for position in range(primitives):
            first = f"_np.uint64({parameter << PRIMITIVE_BITS} + {primitive} + {position})"
            self.put(
                f"_fill_words(_words, {position * stride}, _c0, _count, {first}, {primitives}, "
                f"{events}, _c3, _k0, _k1, _first, _second)"
            )
        normals = [name for name in names if name.startswith("g_")]
        single = primitives == 1 and len(normals) == 1
        if normals:
            with self.block(f"for _e in _range(0, _count * {events} * {_FOUR}, {2 * _L}):"):
                for position in range(len(normals)):
                    word = f"{position * stride} + _e"
                    self.put(f"_n0, _n1 = _pair(_load(_words, {word}), _load(_words, {word} + {_L}))")
                    if single:
                        for offset, value in ((0, "_n0"), (_L, "_n1")):
                            self.put(f"{names[0]} = {value}")
                            self.components(recipe, stride, at, f"_e + {offset}", apart)
                    else:
                        self.put(f"_store(_work, _at_G + {word}, _n0)")
                        self.put(f"_store(_work, _at_G + {word} + {_L}, _n1)")
        if not single:
            with self.block(f"for _e in _range(0, _count * {events} * {_FOUR}, {_L}):"):
                self.components(recipe, stride, at, "_e", apart)

    def components(
        self, recipe: DrawRecipe, stride: int, at: str, element: str, apart: int | None
    ) -> None:
        """Evaluate components at one vector of primitives."""
        uniforms = {name for name in recipe.names if name.startswith("u_")}
        single = recipe.primitives == 1 and not uniforms
        doubled = not all(has_kept_digits(c, uniforms) for c in recipe.components)
        needed = frozenset().union(*(c.names for c in recipe.components))
        for position, name in enumerate(recipe.names):
            if name not in needed:
                continue
            where = f"{position * stride} + {element}"
            if name in uniforms:
                kind = "_uniform_double" if doubled else "_uniform"
                self.put(f"{name} = {kind}(_load(_words, {where}))")
            elif not single:
                text = f"_load(_work, _at_G + {where})"
                self.put(f"{name} = " + (f"_to_double({text})" if doubled else text))
        writer = VectorSource(
            varying=set(recipe.names),
            hoist=self.hoist_double if doubled else self.hoist,
            prefix="_d_" if doubled else "_s_",
        )
        for slot, component in enumerate(recipe.components):
            text = writer.vector(component)
            text = f"_to_single({text})" if doubled else text
            if apart is not None:
                target = f"{at} + {slot * apart} + {element}"
            elif len(recipe.components) == 1:
                target = f"{at} + {element}"
            else:
                # element = event * 64 + neuron * 16: the components stand between the two
                event = f"(({element}) // {_FOUR} * {len(recipe.components)} + {slot}) * {_FOUR}"
                target = f"{at} + {event} + ({element}) % {_FOUR}"
            self.put(f"_store(_work, {target}, {text})")


def recipes(plan: Plan) -> Iterator[DrawRecipe]:
    """Every draw recipe of a plan."""
    yield from plan.weights
    yield from (bias for bias in plan.biases if bias is not None)
    for layer in plan.layers:
        if isinstance(layer, Neurons):
            yield from (draw.recipe for draw in layer.draws)
        else:
            yield layer.weight
            if layer.bias is not None:
                yield layer.bias
