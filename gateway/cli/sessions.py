"""`vton sessions`: list, show, watch, cancel and delete what was accepted."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gateway.stack.client import TryOnRefused
from gateway.stack.sessions import Sessions, Told

TOKEN_VARIABLE: Final = "VTON_USER_TOKEN"  # noqa: S105 - a variable's name
_SERVER: Final = "http://127.0.0.1:8000"


def add_sessions(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those there are."""
    text = "list, show, watch, cancel and delete sessions"
    described = f"Sessions belong to a token: --token, or {TOKEN_VARIABLE}."
    one = commands.add_parser("sessions", help=text, description=described)
    actions = one.add_subparsers(required=True, metavar="ACTION")
    listing = _action(actions, "list", list_sessions)
    listing.add_argument("--limit", type=int, default=20, help="how many at most, up to 100 (20)")
    for name, command in (("show", show), ("watch", watch), ("cancel", cancel), ("delete", delete)):
        action = _action(actions, name, command)
        action.add_argument("session", help="its id")
        if name == "watch":
            action.add_argument("-o", "--output", type=Path, help="folder for the results")


def add_token(parser: argparse.ArgumentParser) -> None:
    """Let a command be told whose sessions these are."""
    parser.add_argument("--token", help=f"whose sessions ({TOKEN_VARIABLE})")


def sessions_of(options: argparse.Namespace) -> Sessions:
    """The sessions of whoever the options or the environment name."""
    return Sessions(options.server, options.token or os.environ.get(TOKEN_VARIABLE))


def list_sessions(options: argparse.Namespace) -> int:
    """List your sessions, the newest first."""
    for session in sessions_of(options).page(options.limit):
        print(_line(session))
    return 0


def show(options: argparse.Namespace) -> int:
    """Show a session and each of its items."""
    _print(sessions_of(options).get(options.session))
    return 0


def watch(options: argparse.Namespace) -> int:
    """Follow a session to its end; the status is 0 if it completed."""
    return follow(sessions_of(options), options.session, options.output)


def cancel(options: argparse.Namespace) -> int:
    """End a session."""
    print(_line(sessions_of(options).cancel(options.session)))
    return 0


def delete(options: argparse.Namespace) -> int:
    """Erase a session with its photos and results; prints the receipt."""
    print(json.dumps(sessions_of(options).delete(options.session)))
    return 0


def follow(sessions: Sessions, session_id: str, output: Path | None) -> int:
    """Print what happens to a session, store its results, and give the exit status."""
    for told in sessions.watch(session_id, _say_away):
        if line := _told(told):
            print(line, flush=True)
    try:
        session = sessions.get(session_id)
    except TryOnRefused:
        return 1
    for item in session["items"] if output is not None else []:
        for place, url in enumerate(item["result_urls"]):
            suffix = Path(url.partition("?")[0]).suffix
            file = Path(output or ".", f"{session_id}-{item['item']}-{place}{suffix}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(sessions.fetch(url))
            print(file)
    return 0 if session["state"] == "completed" else 1


def _say_away(why: str) -> None:
    print(f"vton: {why}; it is tried again (Ctrl-C ends this)", file=sys.stderr, flush=True)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    one = actions.add_parser(name, help=command.__doc__, description=command.__doc__)
    one.add_argument("--server", default=_SERVER, help="the gateway's address")
    add_token(one)
    one.set_defaults(command=command)
    return one


def _line(session: dict[str, Any]) -> str:
    items, made = session["items"], session["created_at"][:19]
    done = sum(item["state"] == "completed" for item in items)
    return (
        f"{session['session_id']}  {made}  {session['state']:10}  {done}/{len(items)}  "
        f"{session['engine']}"
    )


def _print(session: dict[str, Any]) -> None:
    print(_line(session))
    for item in session["items"]:
        told = item["result_urls"][:1] or [(item["error"] or {}).get("message", "")]
        print(f"  {item['item']:3}  {item['state']:10}  {told[0]}")


def _told(told: Told) -> str:
    data = told.data
    match told.name:
        case "state":
            return f"session     {data['state']}"
        case "item":
            why = f": {data['message']}" if "message" in data else ""
            return f"item {data['item']:3}    {data['state']}{why}"
        case "progress":
            return f"item {data['item']:3}    {data['stage']} {data['step']}/{data['of']}"
        case "gone":
            return "session     deleted"
    return ""
