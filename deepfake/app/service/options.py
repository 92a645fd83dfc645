"""options: what `deepfake serve` and `deepfake app` are told alike, and what is said where a library is missing."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from deepfake.app.log import door
from deepfake.app.service.limits import Limits
from deepfake.base import params
from deepfake.base.errors import UserError

Folders = Annotated[
    list[Path],
    typer.Option("--detector", help="a trained detector's folder, or builtin; repeatable [default: as predict's]"),
]
Settings = Annotated[
    list[str], typer.Option("--limit", help="NAME=VALUE, repeatable; --limit help lists them", metavar="NAME=VALUE")
]

Log = Annotated[bool | None, typer.Option(help="ask the log first, and tell it; else if DEEPFAKE_DB_URL is")]


def logged(log: bool | None) -> bool:
    """Whether predictions go by way of the log, which is opened once. Raises UserError where it cannot be."""
    if wanted := bool(os.environ.get("DEEPFAKE_DB_URL")) if log is None else log:
        door.opened()
    return wanted


def settings(limits: Sequence[str]) -> Limits:
    """The limits, those that are named as they are told. Raises UserError; `help` lists all, and ends."""
    if "help" in limits:
        for name, bound in Limits().table().items():
            print(f"{name:<17}{bound['limit']:<12,} {bound['of']}")
        raise typer.Exit
    if wrong := [limit for limit in limits if "=" not in limit]:
        raise UserError(f"--limit {wrong[0]}: no NAME=VALUE", "--limit megabytes=50")
    return params.check(dict(limit.split("=", 1) for limit in limits), Limits, where="--limit")


def free(host: str, port: int) -> None:
    """Raises UserError for an address that nobody can listen at, for another program does, or it is none of ours."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UserError(f"--host {host} --port {port}: {why}", "name another; --port 0 is a free one") from None


@contextmanager
def needed(extra: str, command: str) -> Iterator[None]:
    """For imports of what an extra brings. Raises UserError where it is not installed."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "deepfake":
            raise
        raise UserError(
            f"{command} needs {error.name}, which is not installed", f"pip install 'deepfake[{extra}]'"
        ) from None
