"""Expectations over the parameters of a neuron: the only place that integrates."""
