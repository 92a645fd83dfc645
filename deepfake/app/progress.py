"""progress: the command that says how far the runs in other terminals are."""

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer

from deepfake.base.progress import State, running


def progress(
    watch: Annotated[bool, typer.Option("--watch", help="look again each second, until nothing runs")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a run, for programs")] = False,
) -> None:
    """Say how far the runs of this project are: videos and frames done, how fast, and how long it still takes.

    For another terminal than the one of `dvc repro`, or another machine that shares ITEM_CACHE.
    """
    states = running()
    if not states:
        print("nothing runs here")
    while states:
        print("\n".join(json.dumps(asdict(state)) if as_json else line(state) for state in states), flush=True)
        if not watch:
            return
        time.sleep(1)
        states = running()


def line(state: State) -> str:
    """One run in words."""
    frames = f", {state.frames} frames" if state.frames else ""
    left = "" if state.left is None else f", {state.rate:.1f} {state.unit}/s, {clock(state.left)} left"
    share = f"{state.done / state.total:4.0%}" if state.total else "   -"
    return f"{state.label:<10}{share}  {state.done} of {state.total} {state.unit}{frames}{left}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
