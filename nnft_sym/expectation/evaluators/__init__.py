"""Special methods for the moments of some families of functions, found by walking this package.

A method is a module with a number RANK, by which they are tried, and a function
``evaluate(problem, rows)`` that returns values with bounds of their errors for the multi-indices
of one order, or None where it does not apply. Values that miss ``problem.rtol`` are not returned:
the method refuses or leaves them to ``problem.cubature``.
"""
