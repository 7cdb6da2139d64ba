"""``study`` and its commands that plan: ``new``, ``extend``, and ``reproduce``, which also runs and judges."""

import platform
from typing import Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.commands import study_readings, study_run, study_show, study_status
from alexnet_tui.cli.commands.claims import complete_set
from alexnet_tui.cli.commands.study_run import Parallel, study_command, work_through
from alexnet_tui.cli.commands.study_show import claim_lines
from alexnet_tui.cli.generated_options import GroupedCommand, given_text, with_hyperparameters
from alexnet_tui.cli.output import say
from alexnet_tui.config.claims import claim_sets
from alexnet_tui.config.protocols import PROTOCOLS, REPORT, plan_configs
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.errors import AlexnetTuiError, ClaimError, ExitCode, UsageError
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning, study_files
from alexnet_tui.studies.plan import Plan, load_plan
from alexnet_tui.text import counted, format_duration, printable, quoted

_ALL, _DEFAULT_SEEDS, _MAX_SEEDS = "all", 5, 1000
_REPRODUCTION = "reproduction"
_SET_BY_THE_PLAN = ("variant", "seed")
_NEW_HELP = """Write the plan of a study: every variant with every seed, fixed in advance.

Example: alexnet-tui study new mine --variants all --seeds 5 --front-end literal32 --epochs 100

Example: alexnet-tui study new fig1 --protocol best-learning-rate --seeds 5

Example: alexnet-tui study new decay --claims my-claims.toml --seeds 5
"""
_REPRODUCE_HELP = """Reproduce the whole report: plan, run and judge in one command; the same command goes on.

Example: alexnet-tui study reproduce --seeds 5 --data cifar10
"""


_Variants = Annotated[
    str,
    options.option(
        "--variants", metavar="LIST", help=f"`all` of the protocol, or some of {','.join(VARIANTS)} (default all)."
    ),
]
_Seeds = Annotated[
    int,
    options.option(
        "--seeds",
        metavar="N",
        min=1,
        max=_MAX_SEEDS,
        help=f"Seeds of each variant; fewer than five leave every verdict open (default {_DEFAULT_SEEDS}).",
    ),
]
_FirstSeed = Annotated[
    int,
    options.option("--first-seed", metavar="N", min=0, help="The first of them (default 0)."),
]
_Claims = Annotated[
    str,
    options.option(
        "--claims",
        metavar="FILE|SET",
        help=f"Plan the groups these claims need: a TOML file, or a set ({', '.join(claim_sets())}).",
        autocompletion=complete_set,
    ),
]
_Protocol = Annotated[
    str,
    options.option(
        "--protocol",
        metavar="NAME",
        help=" ".join(f"{name}: {one.summary}" for name, one in PROTOCOLS.items()) + f" (default {REPORT})",
        autocompletion=options.completing(PROTOCOLS),
    ),
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    studies = typer.Typer(
        name="study", help="Plan variants x seeds in advance, and work through them.", rich_markup_mode=None
    )
    generated = (
        ("new", new, _NEW_HELP, "Write the plan of a study: variants x seeds."),
        ("reproduce", reproduce, _REPRODUCE_HELP, "Reproduce the whole report in one command."),
    )
    for name, command, text, short in generated:
        studies.command(name, help=text, short_help=short, cls=GroupedCommand)(
            with_hyperparameters(command, without=_SET_BY_THE_PLAN)
        )
    study_run.register(studies)
    studies.command("status")(study_status.status)
    studies.command("show")(study_show.show)
    studies.command("extend")(extend)
    study_readings.register(studies)
    studies.command("list")(study_status.list_studies)
    studies.command("verify")(study_show.verify)
    app.add_typer(studies)


def new(
    name: options.StudyName,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    protocol: _Protocol = REPORT,
    claims: _Claims = "",
    label: Annotated[str, options.option("--label", metavar="TEXT", help="Label of every run.")] = "",
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Write a plan; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    overrides, all_seeds = given_text(fields), range(first_seed, first_seed + seeds)
    if not claims:
        chosen = _variants(variants, protocol)
        plan = planning.plan_variants(
            store, name, variants=chosen, seeds=all_seeds, overrides=overrides, label=label, protocol=protocol
        )
        return _print_plan(store, plan)
    if (variants, protocol) != (_ALL, REPORT):
        raise UsageError("--claims decides the groups of runs; leave --variants and --protocol away.")
    from alexnet_tui.analysis.verdict.claim_plan import register_claims

    try:
        plan = register_claims(store, name, claims, seeds=all_seeds, overrides=overrides, label=label)
    except ClaimError as error:
        for problem in error.problems:
            say(printable(f"{claims}: {problem}", 400))
        say("nothing was planned.")
        return ExitCode.USAGE
    return _print_plan(store, plan)


def _print_plan(store: Store, plan: Plan) -> int:
    """Print what was registered, claim by claim, and the next command."""
    registered = f", {counted(len(plan.claims), 'claim')} registered" if plan.claims else ""
    following = study_command(store, "run", plan.name)
    say(f"study {plan.name}: {plan.size_text}{registered}{_expected(store, plan)}. Next: {following}")
    for line in claim_lines(plan):
        say(line)
    _print_notes(plan)
    say(f"plan's SHA-256: {plan.sha256}")
    return ExitCode.DONE


def _print_notes(plan: Plan) -> None:
    """Print what is to be known of a plan's claims, and why some get no verdict."""
    from alexnet_tui.analysis.verdict.claim_checks import remarks, unassessable

    num_seeds = len(plan.seeds)
    for note in (*remarks(plan.claims, num_seeds), *unassessable(plan.claims, plan.configs, num_seeds)):
        say(f"note: {note}.")


def extend(
    name: options.StudyName,
    seeds: _Seeds = _DEFAULT_SEEDS,
    new_name: Annotated[
        str,
        options.option("--name", metavar="NAME", help="Name of the new plan (default NAME-2)."),
    ] = "",
    runs_dir: options.RunsDir = None,
) -> int:
    """Plan further seeds for a study, one more look at its claims.

    The new plan is a study of its own: its verdicts rest on its own runs alone.

    Example: alexnet-tui study extend mine --seeds 5
    """
    store = options.open_store(runs_dir)
    plan = planning.extend(store, name, seeds, new_name=new_name)
    code = _print_plan(store, plan)
    if plan.claims:
        say(f"note: its verdicts rest on these seeds alone; those of {name} keep their own.")
    return code


def reproduce(
    name: Annotated[
        str,
        options.argument(metavar="[NAME]", help=f"Name of the study (default {_REPRODUCTION})."),
    ] = _REPRODUCTION,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    parallel: Parallel = "1",
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Plan, run and judge; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    overrides = given_text(fields)
    chosen, planned_seeds = _variants(variants, REPORT), range(first_seed, first_seed + seeds)
    configs = plan_configs(REPORT, chosen, planned_seeds, overrides)
    data_catalog.find(configs[0].data)
    if name in study_files.names(store):
        plan = load_plan(store, name)
        # By value: an option that says what is so anyhow changes nothing.
        if (plan.protocol, plan.configs) != (REPORT, configs):
            raise UsageError(
                f"study {name} was planned with other variants, seeds or settings, and plans do not change;"
                " give the same ones, or another NAME."
            )
    else:
        plan = planning.plan_variants(store, name, variants=chosen, seeds=planned_seeds, overrides=overrides)
        say(f"study {name}: {counted(len(plan.configs), 'run')} planned{_expected(store, plan)}.")
        _print_notes(plan)
    code = work_through(store, plan, parallel)
    if code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        return code
    from alexnet_tui.cli.commands.report import report

    report([name], runs_dir=runs_dir)
    return code


def _variants(text: str, protocol: str) -> list[str]:
    if protocol not in PROTOCOLS:
        raise UsageError(f"--protocol: there is no {quoted(protocol)}; {nearest(protocol, PROTOCOLS)}")
    known = PROTOCOLS[protocol].variants
    names = list(known) if text == _ALL else [word.strip() for word in text.split(",") if word.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"--variants: there is no {quoted(name)}; {nearest(name, known)}")
    return names


def _expected(store: Store, plan: Plan) -> str:
    """How long the whole study may take, from past runs here, or nothing."""
    from alexnet_tui.analysis import time_estimate
    from alexnet_tui.runs.follow import load
    from alexnet_tui.runs.origin import is_imported

    past = []
    for record in store.list().runs:
        try:
            if not (store.is_reference(record.id) or is_imported(store.path(record.id))):
                past.append(load(store, record.id, skip_steps=True)[0])
        except AlexnetTuiError:  # An unreadable run tells no time.
            continue
    sizes = {info.name: (info.num_train, info.num_test) for info in data_catalog.catalog()}
    found = time_estimate.total_time(plan.configs, past, host=platform.node(), sizes=sizes)
    return f", about {format_duration(found[0])} one after another ({found[1]})" if found else ""
