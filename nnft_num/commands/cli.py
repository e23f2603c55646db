"""The command line: ``nnft check``, ``nnft derive``, ``nnft table``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nnft_sym.language.errors import (
    AccuracyError,
    InfiniteMomentError,
    NNFTError,
    NotDerivedError,
    SpecificationError,
)

__all__ = ["main"]

_CODES = {"agree": 0, "disagree": 1, "unresolved": 3}
_INTERRUPTED = 130

_SPEC = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of text.")
_OUT_FILE = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write to this file in place of the terminal.",
)


class _Refused(click.ClickException):
    """What the workbench refuses, as one message."""

    exit_code = 2


class _NoAnswer(click.ClickException):
    """What the theory cannot say, as one message."""

    exit_code = 4


class _Commands(click.Group):
    """Commands whose own errors end as one clear message: exit code 2, or 4 for no answer."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NNFTError as error:
            notes: list[str] = getattr(error, "__notes__", [])
            none = isinstance(error, (NotDerivedError, AccuracyError, InfiniteMomentError))
            message = " ".join([str(error), *(f"({note})" for note in notes)])
            raise (_NoAnswer if none else _Refused)(message) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nnft")
def main() -> None:
    """Neural-network field theory: derive correlators, sample networks, compare them honestly.

    Exit codes: 0 done (check: agree), 1 disagree, 2 bad input, 3 unresolved, 4 the theory has no
    answer, 130 interrupted.
    """


@main.command()
@click.argument("spec", type=_SPEC, required=False)
@click.option("--rng", type=click.IntRange(0), default=None, help="Seed; 0, or that of the spec.")
@click.option(
    "--networks",
    type=click.IntRange(100),
    default=None,
    help="Networks at each width, in place of those chosen for each network.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Directory of the files; ./nnft-report without a spec.",
)
@_JSON
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Show progress bars, or not; by default in long runs on a terminal.",
)
@click.pass_context
def check(
    ctx: click.Context,
    spec: Path | None,
    rng: int | None,
    networks: int | None,
    out: Path | None,
    as_json: bool,
    progress: bool | None,
) -> None:
    """Confront networks with samples: those of SPEC (TOML), or of the literature.

    With SPEC the exit code is 0 for agree, 1 for disagree, 3 for unresolved; without, it is 1 if
    something disagrees and else 0.
    """
    if spec is None:
        if as_json:
            raise click.UsageError("--json needs a SPEC; the networks of the literature have none")
        _check_literature(ctx, rng or 0, networks, out or Path("nnft-report"), progress)
        return
    from nnft_num.commands.jobs import checked_record, run_check, write_checked
    from nnft_num.commands.records import as_json as to_json
    from nnft_num.commands.specs import read_spec

    checked = run_check(
        read_spec(spec),
        seed=rng,
        networks=networks,
        progress=progress,
        show=None if as_json else click.echo,
    )
    paths = write_checked(checked, out or Path(), every=out is not None)
    if as_json:
        click.echo(to_json(checked_record(checked)), nl=False)
    else:
        for path in paths:
            click.echo(f"wrote {path}")
    ctx.exit(_CODES[str(checked.verdict)])


def _check_literature(
    ctx: click.Context, rng: int, networks: int | None, out: Path, progress: bool | None
) -> None:
    from nnft_num.commands.mainjob import literature_tasks, run, write_outcome

    outcome = run(literature_tasks(networks), rng=rng, show=click.echo, progress=progress)
    paths = write_outcome(outcome, out)
    click.echo(
        f"verdict: {outcome.verdict} (family-wise level {outcome.level:g} over "
        f"{outcome.comparisons} comparisons; resolution 5 asked for; seed {rng})"
    )
    click.echo(f"{len(paths)} files in {out}: {paths[0].name} ... {paths[-1].name}")
    ctx.exit(1 if outcome.verdict == "disagree" else 0)


@main.command()
@click.argument("what", metavar="EXPRESSION|SPEC.toml")
@click.option("--order", type=click.IntRange(1, 8), default=None, help="Order of the cumulant; 4.")
@_JSON
@_OUT_FILE
def derive(what: str, order: int | None, as_json: bool, out: Path | None) -> None:
    """Print what follows from neurons EXPRESSION(z), or from the networks of SPEC.toml.

    Kernel, tangent kernel, connected correlator and, for an expression, criticality, as text and
    LaTeX.  A name such as Erf or GELU stands for that activation.
    """
    from nnft_num.commands.records import as_json as to_json
    from nnft_num.commands.records import derivation_records, derivation_text

    if what.endswith(".toml"):
        from nnft_num.commands.specs import read_spec

        spec = read_spec(what)
        orders = spec.derive.orders if order is None else (order,)
        quantities = spec.derive.quantities
        records = derivation_records(spec.networks, quantities, orders, values=as_json)
        _put(to_json(records) if as_json else derivation_text(records), out)
        return
    from nnft_num.commands.spec_networks import activation_of

    phi = activation_of(what)
    if not as_json:
        from nnft_sym.summaries import summary

        _put(summary(phi, order=order or 4) + "\n", out)
        return
    from nnft_num.commands.specs import NetworkSpec
    from nnft_sym.architectures import shallow

    entry = NetworkSpec(network=shallow(phi), points=None, parameters={})
    records = derivation_records([entry], ("kernel", "ntk", "cumulant"), (order or 4,))
    _put(to_json(records), out)


@main.command()
@click.argument("spec", type=_SPEC, required=False)
@click.option(
    "-a",
    "--activation",
    "activations",
    multiple=True,
    metavar="EXPRESSION",
    help="A row of the table of activations; may be repeated.",
)
@_JSON
@_OUT_FILE
def table(spec: Path | None, activations: tuple[str, ...], as_json: bool, out: Path | None) -> None:
    """Print LaTeX: the kernels of the networks of SPEC (TOML) or of the literature.

    With -a it is the table of activations: kernel, tangent kernel factor, critical scales.
    """
    from nnft_num.commands.records import activation_records, derivation_records
    from nnft_num.commands.records import as_json as to_json

    if activations:
        if spec is not None:
            raise click.UsageError("give a SPEC or --activation, not both")
        from nnft_num.commands.spec_networks import activation_of
        from nnft_sym.tables import activation_table

        rows = activation_table([activation_of(text) for text in activations])
        _put(to_json(activation_records(rows)) if as_json else rows.latex(), out)
        return
    from nnft_num.commands.specs import NetworkSpec, read_spec

    if spec is None:
        from nnft_num.commands.mainjob import literature_tasks

        nets = {task.network.name: task.network for task in literature_tasks()}
        entries = tuple(NetworkSpec(network=n, points=None, parameters={}) for n in nets.values())
    else:
        entries = read_spec(spec).networks
    records = derivation_records(entries, ("kernel",), (), values=as_json)
    _put(to_json(records) if as_json else _kernels(records), out)


def _kernels(records: list[dict[str, Any]]) -> str:
    """Kernels as LaTeX, each below a comment that says what it is."""
    lines = []
    for record in records:
        (kernel,) = record["quantities"]
        source = f" ({record['source']})" if record["source"] else ""
        said = kernel.get("exactness") or f"not derived: {kernel['not_derived']}"
        lines += [f"% {record['network']}{source}: {said}", kernel.get("latex", ""), ""]
    return "\n".join(lines)


def _put(text: str, out: Path | None) -> None:
    """Print, or write to a file."""
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpecificationError(
            expected="a file that can be written",
            came=f"{str(out)!r}: {error.strerror}",
            remedy="make its directory first, or choose another with --out",
        ) from None
