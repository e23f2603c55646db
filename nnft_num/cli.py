"""The command line: ``nnft check``, ``nnft derive``, ``nnft table``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nnft_sym.language.errors import NNFTError

__all__ = ["main"]


class _Refused(click.ClickException):
    """What the workbench refuses, as one message."""

    exit_code = 2


class _Commands(click.Group):
    """Commands whose own errors end as one clear message and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NNFTError as error:
            notes: list[str] = getattr(error, "__notes__", [])
            raise _Refused(" ".join([str(error), *(f"({note})" for note in notes)])) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nnft")
def main() -> None:
    """Neural-network field theory: derive correlators, sample networks, compare them honestly."""


@main.command()
@click.option("--rng", type=click.IntRange(0), default=0, show_default=True, help="Seed.")
@click.option(
    "--networks",
    type=click.IntRange(100),
    default=None,
    help="Networks at each width, in place of those chosen for each network.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("nnft-report"),
    show_default=True,
    help="Directory of tables and figure.",
)
@click.pass_context
def check(ctx: click.Context, rng: int, networks: int | None, out: Path) -> None:
    """Confront the networks of the literature with samples over several widths.

    Ends with exit code 0 if nothing disagrees and 1 if something does.
    """
    from nnft_num.mainjob import literature_tasks, run, write_outcome

    outcome = run(literature_tasks(networks), rng=rng, show=click.echo)
    paths = write_outcome(outcome, out)
    click.echo(
        f"verdict: {outcome.verdict} (family-wise level {outcome.level:g} over "
        f"{outcome.comparisons} comparisons; resolution 5 asked for; seed {rng})"
    )
    click.echo(f"{len(paths)} files in {out}: {paths[0].name} ... {paths[-1].name}")
    ctx.exit(1 if outcome.verdict == "disagree" else 0)


@main.command()
@click.argument("expression")
@click.option("--order", type=click.IntRange(1, 8), default=4, show_default=True)
def derive(expression: str, order: int) -> None:
    """Print what follows from neurons EXPRESSION(z), as text and LaTeX.

    Kernel, tangent kernel, connected correlator of one hidden layer, and criticality.
    """
    from nnft_sym.summaries import summary

    click.echo(summary(expression, order=order))


@main.command()
def table() -> None:
    """Print the kernels of the networks of the literature as LaTeX."""
    from nnft_num.mainjob import literature_tasks
    from nnft_sym.kernels import kernel

    nets = {task.network.name: task.network for task in literature_tasks()}
    for name, net in nets.items():
        correlator = kernel(net)
        click.echo(f"% {name} ({net.source}): {correlator.exactness}\n{correlator.latex()}\n")
