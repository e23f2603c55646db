"""My network: its formulas, the check, and both as LaTeX."""

from pathlib import Path

import sympy as sp

import nnft_num as nm
import nnft_sym as nn

# The network: activation, densities, width. Texts are names of parameters.
z = sp.Symbol("z")
net = nn.shallow(
    sp.erf(z) + z / 2,
    weight=nn.Gaussian(0, "sigma_w"),
    bias=nn.Gaussian(0, "sigma_b"),
    readout=nn.Uniform(-1, 1),
    width="N",
)

# The formulas, and how exact they are.
K, G4 = nn.kernel(net), nn.cumulant(net, 4)
print("kernel:     ", K.exactness)
print("four points:", G4.exactness)

# The check: three points in two dimensions, 400 000 networks of width 5.
X = [[0.5, -1.0], [1.0, 0.2], [-0.3, 0.8]]
params = dict(sigma_w=1.0, sigma_b=0.3, N=5)
report = nm.check(net, X, orders=(2, 4), networks=400_000, rng=2024, **params)
print(report)

# The paper: the kernel with its definitions, the four-point function, the table.
lines = [*K.latex().splitlines(), G4.latex().splitlines()[0]]
equations = " \\\\\n".join(lines)
Path("equations.tex").write_text(f"\\begin{{gather*}}\n{equations}\n\\end{{gather*}}\n")
report.to_latex("check.tex")
