"""Sampled networks with exact gradients, in numpy alone: the oracle of tangent kernels."""

from __future__ import annotations

import numpy as np


def dense_networks(rng, count, sizes, weights, biases):
    """Draw ``count`` networks: lists of (W, b) with W of shape (count, fan_out, fan_in).

    ``weights`` and ``biases`` give for each layer a function (rng, shape) -> draws.
    """
    layers = []
    for fan_in, fan_out, weight, bias in zip(sizes, sizes[1:], weights, biases, strict=False):
        b = None if bias is None else bias(rng, (count, fan_out))
        layers.append((weight(rng, (count, fan_out, fan_in)), b))
    return layers


def output(layers, X, phi):
    """f of shape (count, points, outputs)."""
    h = np.broadcast_to(X, (len(layers[0][0]), *X.shape))
    for number, (W, b) in enumerate(layers):
        h = phi(h) if number else h
        h = np.einsum("toi,tpi->tpo", W, h) / np.sqrt(W.shape[2])
        h = h if b is None else h + b[:, None, :]
    return h


def gradients(layers, X, phi, slope):
    """∂f_0/∂(W, b) of every layer by backpropagation: arrays of shape (count, points, ...)."""
    count = len(layers[0][0])
    inputs, fields = [], []
    h = np.broadcast_to(X, (count, *X.shape))
    for number, (W, b) in enumerate(layers):
        h = phi(h) if number else h
        inputs.append(h)
        h = np.einsum("toi,tpi->tpo", W, h) / np.sqrt(W.shape[2])
        h = h if b is None else h + b[:, None, :]
        fields.append(h)
    back = np.zeros_like(fields[-1])
    back[..., 0] = 1.0
    found = []
    for number in reversed(range(len(layers))):
        W = layers[number][0]
        found.append((np.einsum("tpo,tpi->tpoi", back, inputs[number]) / np.sqrt(W.shape[2]), back))
        if number:
            back = np.einsum("tpo,toi->tpi", back, W) / np.sqrt(W.shape[2])
            back = back * slope(fields[number - 1])
    return found[::-1]


def tangent_kernels(layers, X, phi, slope, scales):
    """Empirical kernels (count, points, points); ``scales`` are (weight, bias) of each layer.

    The scale multiplies the gradient: a standard deviation for standardised parameters, √fan_in
    for the weights w = W/√fan_in themselves.
    """
    total = 0.0
    for (dW, db), (W, b), (weight, bias) in zip(
        gradients(layers, X, phi, slope), layers, scales, strict=True
    ):
        own = np.sqrt(W.shape[2]) if weight is None else weight
        total = total + own**2 * np.einsum("tpoi,tqoi->tpq", dW, dW)
        if b is not None:
            total = total + bias**2 * np.einsum("tpo,tqo->tpq", db, db)
    return total
