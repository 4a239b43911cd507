"""The `vton` command: bring the server up, try it, ask it, see its settings."""

import argparse
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import shtab

import gateway
from gateway.cli.here import root, settings_here
from gateway.cli.keys import add_keys
from gateway.cli.privacy import add_privacy
from gateway.cli.sessions import TOKEN_VARIABLE, add_sessions, add_token, sessions_of
from gateway.errors.kinds import GatewayError
from gateway.settings.listing import in_force
from gateway.stack import demo
from gateway.stack.client import TryOnRefused, try_on
from gateway.stack.plan import Plan, plan_for
from gateway.stack.ports import Ports
from gateway.stack.rollout import Follower, RolloutFailed
from gateway.stack.running import Interrupted, Stack, StackFailed, stop_on_signals

_SAMPLES: Final = Path(gateway.__file__).parent / "web" / "samples"
_INTERRUPTED: Final = 130
_ENGINE: Final = "geometric"
_OWN: Final = ("mask", "densepose")
_STAND_INS: Final = "(sign-in, Gemini, eBay: made up; sign in as ada@example.org, ada's password)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (Interrupted, KeyboardInterrupt):
        return _INTERRUPTED
    except (GatewayError, StackFailed, TryOnRefused, RolloutFailed, OSError) as error:
        _say(f"vton: {error}")
        return 1


def serve(options: argparse.Namespace) -> int:
    """Run the whole stack in the foreground until Ctrl-C or SIGTERM.

    Standard output carries the logs, one JSON object per line; what is for people goes beside it.
    """
    settings = settings_here()
    ports = Ports(
        gateway=settings.http.port if options.port is None else options.port,
        inference=options.inference_port,
        management=options.management_port,
        metrics=options.metrics_port,
    )
    host = options.host or settings.http.host
    plan = replace(_planned(options), host=host, ports=ports, logs=options.logs)
    plan = replace(plan, store=options.model_store, stand_ins=options.with_stand_ins)
    with stop_on_signals() as stop, Stack(plan, stop) as stack:
        for name, url in (
            ("page", f"{stack.url}/"),
            ("API docs", f"{stack.url}/docs"),
            ("health", f"{stack.url}/health"),
            ("TorchServe", stack.inference_url),
            ("its models", f"{stack.management_url}/models"),
            ("its metrics", stack.metrics_url),
            ("model store", str(stack.store)),
        ):
            _say(f"{name:12}{url}")
        if options.with_stand_ins:
            _say(f"STAND-INS   {stack.stand_ins_url}/ {_STAND_INS}")
        _say("ready; Ctrl-C ends all of it")
        stack.watch()
    _say("stopped")
    return 0


def run_demo(options: argparse.Namespace) -> int:
    """Make one real try-on with shipped pictures on a stack of its own."""
    plan = _planned(options)
    _say("starting TorchServe and the gateway …")
    with stop_on_signals() as stop:
        lines = demo.run(plan, _SAMPLES, options.output, _stack_with(stop))
    print("\n".join(lines))
    return 0


def tryon(options: argparse.Namespace) -> int:
    """Ask a running server for one try-on."""
    wished = {"category": options.category, **dict(options.set)}
    if options.engine:
        wished["engine"] = options.engine
    pictures = {"user_image": options.person, "garment_image": options.garment}
    pictures |= {part: given for part in _OWN if (given := getattr(options, part))}
    if options.is_async:
        session = sessions_of(options).create(pictures, wished)
        print(session["session_id"])
        if session["user_token"]:
            _say(f"{TOKEN_VARIABLE}={session['user_token']}  owns it")
        return 0
    answer = try_on(options.server, pictures, wished, options.timeout)
    output = options.output or Path("try-on.jpg")
    output.write_bytes(answer.picture)
    print(f"{output}  {answer.body['engine']}, {answer.body['processing_time_ms']} ms")
    return 0


def rollout(options: argparse.Namespace) -> int:
    """Have a version of a model serve in place of the one before, and show how it gets on."""
    follower = Follower(options.url, options.model, _say)
    if options.cancel:
        return follower.go_back()
    return follower.roll_out(options.version, share=options.share, canary_s=options.canary_s)


def config(_: argparse.Namespace) -> int:
    """Print every setting in force, with its unit; secrets stay masked."""
    print(in_force(settings_here()), end="")
    return 0


def completion(options: argparse.Namespace) -> int:
    """Print what completes commands and options in a shell: eval "$(vton completion bash)"."""
    print(shtab.complete(_parser(), options.shell))
    return 0


def _planned(options: argparse.Namespace) -> Plan:
    folder = root()
    settings = settings_here()
    return plan_for(
        folder,
        options.engine or [_ENGINE],
        options.model,
        options.config,
        person=options.person,
        commercial_only=options.commercial_only or settings.commercial_only,
    )


def _first_line(command: Callable[[argparse.Namespace], int]) -> str:
    return (command.__doc__ or "").partition("\n")[0]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _stack_with(stop: threading.Event) -> Callable[[Plan], Stack]:
    return lambda plan: Stack(plan, stop)


def _assignment(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not name or not mark:
        raise argparse.ArgumentTypeError(f"expected OPTION=VALUE, found {text!r}")
    return name, value


def _parser() -> argparse.ArgumentParser:
    width = min(100, shutil.get_terminal_size().columns)
    parser = argparse.ArgumentParser(
        prog="vton",
        description=__doc__,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=width),
    )
    parser.add_argument("--version", action="version", version=gateway.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    one = commands.add_parser("demo", help=run_demo.__doc__, description=run_demo.__doc__)
    one.add_argument("--output", type=Path, default=Path("demo/out"), help="folder of the pictures")
    _add_engines(one)
    one.set_defaults(command=run_demo, person=False)
    _add_tryon(commands)
    add_sessions(commands)
    add_keys(commands)
    add_privacy(commands)
    _add_rollout(commands)
    one = commands.add_parser("config", help=config.__doc__, description=config.__doc__)
    one.set_defaults(command=config)
    one = commands.add_parser(
        "completion", help=_first_line(completion), description=completion.__doc__
    )
    one.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)
    one.set_defaults(command=completion)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = commands.add_parser("serve", help=_first_line(serve), description=serve.__doc__)
    one.add_argument("--host", help="address of the gateway (default: VTON_HTTP__HOST)")
    one.add_argument("--port", type=int, help="its port; 0 takes a free one (VTON_HTTP__PORT)")
    for name in ("inference", "management", "metrics"):
        one.add_argument(
            f"--{name}-port", type=int, default=0, help=f"TorchServe's {name} API (a free port)"
        )
    one.add_argument("--logs", type=Path, help="folder for the logs instead of the terminal")
    one.add_argument(
        "--with-stand-ins",
        action="store_true",
        help="run made-up outside services, too (sign-in, Gemini, eBay): for development alone",
    )
    one.add_argument(
        "--model-store", type=Path, help="folder of archives that stays (else a temporary one)"
    )
    one.add_argument(
        "--person",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="serve the analysis of people, too (default: yes)",
    )
    _add_engines(one)
    one.set_defaults(command=serve)


def _add_tryon(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = commands.add_parser("tryon", help=tryon.__doc__, description=tryon.__doc__)
    one.add_argument("person", type=Path, help="photo of the wearer")
    one.add_argument("garment", type=Path, help="product photo")
    one.add_argument("-o", "--output", type=Path, help="where the picture goes (try-on.jpg)")
    one.add_argument(
        "--async",
        dest="is_async",
        action="store_true",
        help="print the session's id at once; see vton sessions",
    )
    add_token(one)
    one.add_argument("--category", default="upper_body", help="upper_body, lower_body or dresses")
    one.add_argument("--engine", help="which engine (the server's default)")
    one.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="any option of the API, more than once if need be: --set steps=40 --set seed=7",
    )
    for part in _OWN:
        one.add_argument(f"--{part}", type=Path, help=f"a {part} of your own, from an analysis")
    one.add_argument("--server", default="http://127.0.0.1:8000", help="the gateway's address")
    one.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds to wait")
    one.set_defaults(command=tryon)


def _add_rollout(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = commands.add_parser(
        "rollout",
        help=rollout.__doc__,
        description=f"{rollout.__doc__} The token of its admin routes is VTON_ADMIN__TOKEN.",
    )
    one.add_argument("model", help="as its YAML file is called: geometric, idm_vton, …")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", help="MAJOR.MINOR.PATCH, from the model store")
    what.add_argument(
        "--cancel", action="store_true", help="have the rollout that is under way go back"
    )
    one.add_argument("--share", type=float, default=0.0, help="of the requests, to try it first")
    one.add_argument("--canary-s", type=float, metavar="S", help="how long they try it (60)")
    one.add_argument("--url", default="http://127.0.0.1:8000", help="the gateway's address")
    one.set_defaults(command=rollout)


def _add_engines(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--engine",
        action="append",
        help=f"what to serve, more than once if need be; the first is the default ({_ENGINE})",
    )
    one.add_argument("--model", type=Path, help="folder of the first engine's weights")
    one.add_argument("--config", type=Path, help="folder of the engines' YAML files (config)")
    one.add_argument(
        "--commercial-only",
        action="store_true",
        help="refuse every model that is not for commercial use (VTON_COMMERCIAL_ONLY)",
    )
