"""Tangent kernels of one network, slowly: every parameter in turn, by complex steps.

The parameters are those that ``draws`` gives for the plan of the network's fields, repeated one by
one; f is evaluated in numpy with functions written down here, at θ + iε s_p, and Im f/ε is the
gradient in the p-th standardised parameter.  No derivative is taken and nothing propagates back.
"""

from __future__ import annotations

import numpy as np

from tests.num.oracle import event

STEP = 1e-30


def draw_layers(plan, params, key, network, dimension):
    """(W, b) of every dense layer and the readout, in the entries W of z = W h/√fan_in + b."""
    layers, fan_in = [], dimension
    for index, (layer, width) in enumerate(zip(plan.layers, plan.widths(params), strict=True)):
        recipe, where = layer.weight, (params, key, network, 2 * index)
        if len(recipe.components) > 1:
            columns = event(recipe, *where, 0, width)
        else:
            columns = [
                event(recipe, *where, j * recipe.primitives, width)[0] for j in range(fan_in)
            ]
        bias = layer.bias and event(layer.bias, params, key, network, 2 * index + 1, 0, width)[0]
        layers.append([np.stack(columns, axis=1), bias])
        fan_in = width
    last, rows, offset = 2 * len(plan.layers), [], 0
    for recipe in plan.weights:
        rows.append(event(recipe, params, key, network, last, offset, fan_in)[0])
        offset += recipe.primitives
    biases, offset = np.zeros(plan.outputs), 0
    for j, recipe in enumerate(plan.biases):
        if recipe is not None:
            biases[j] = event(recipe, params, key, network, last + 1, offset, 1)[0][0]
            offset += recipe.primitives
    layers.append([np.array(rows), biases])
    return layers


def output(layers, X, activations):
    """Fields (n, D) of the network; parameters and fields may be complex."""
    h = X.T
    for (W, b), phi in zip(layers, [*activations, lambda z: z], strict=True):
        z = W @ h / np.sqrt(W.shape[1])
        h = phi(z if b is None else z + b[:, None])
    return h.T


def kernel(layers, X, activations, scales):
    """Θ (n, D, n, D); ``scales`` are (s_W, s_b) of each layer, numbers or one for each row.

    s_W None stands for √fan_in, the scale of the entries w = W/√fan_in.
    """
    total = 0.0
    for (W, b), (weight, bias) in zip(layers, scales, strict=True):
        rooted = np.sqrt(W.shape[1]) if weight is None else np.reshape(weight, (-1, 1))
        parts = [(W, np.broadcast_to(rooted, W.shape))]
        parts += [] if b is None else [(b, np.broadcast_to(bias, b.shape))]
        for array, own in parts:
            for entry in np.ndindex(array.shape):
                gradient = own[entry] * _slope(layers, array, entry, X, activations)
                total = total + np.multiply.outer(gradient, gradient)
    return total


def _slope(layers, array, entry, X, activations):
    moved = array.astype(complex)
    moved[entry] += 1j * STEP
    other = [[moved if part is array else part for part in layer] for layer in layers]
    return output(other, X, activations).imag / STEP


def distinct(dense):
    """Entries over the fields c = a D + j with c <= c', in colexicographic order."""
    fields = dense.shape[0] * dense.shape[1]
    square = dense.reshape(fields, fields)
    np.testing.assert_allclose(square, square.T, rtol=1e-12, atol=1e-14)
    return np.concatenate([square[c, : c + 1] for c in range(fields)])
