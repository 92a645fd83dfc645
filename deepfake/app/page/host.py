"""host: the page's application: Streamlit with bounds of its own on what is uploaded, and nothing from elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.runtime import Runtime
from streamlit.runtime.stats import CacheStat
from streamlit.starlette import App

from deepfake.app.service.desk import Desk
from deepfake.app.service.extras import KINDS
from deepfake.app.service.limits import MB, Limits
from deepfake.app.service.problems import MEDIA, STATUS, head, problem
from deepfake.app.service.refusal import Refused
from deepfake.app.service.requests import Logging

SCRIPT = Path(__file__).with_name("script.py")
FILES = ("/static/", "/media/", "/_stcore/health", "/_stcore/host-config")
UPLOADS = "/_stcore/upload_file/"
MIB = 2**20  # Streamlit's megabyte
AROUND = 2**16  # bytes of a form around its file
OPTIONS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",  # a bug is for the log
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
}


@dataclass
class Room:
    """What all sessions of the page share."""

    desk: Desk
    show_log: bool  # the log holds what others asked, too


ROOMS: list[Room] = []  # one a process: Streamlit runs the page's script anew for each turn of each session


def room() -> Room:
    """What the sessions share."""
    return ROOMS[-1]


def application(desk: Desk, show_log: bool) -> App:
    """The page of a desk, which is closed with it."""

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(desk.close)

    ROOMS.append(Room(desk, show_log))
    app = App(
        SCRIPT,
        lifespan=lifespan,
        routes=[Route("/extras/{id}/{number:int}", extra(desk))],
        middleware=[Middleware(Logging, quiet=FILES), Middleware(Uploads, limits=desk.limits)],
    )
    size = -(-desk.limits.bytes // MIB)
    for name, value in (OPTIONS | {"server.maxUploadSize": size}).items():
        config.set_option(name, value)
    return app


def extra(desk: Desk) -> Callable[[Request], Response]:
    """What answers with a file that was made of a video: who does not know the id of its job cannot ask."""

    def answer(request: Request) -> Response:
        try:
            job, number = desk.job(request.path_params["id"]), request.path_params["number"]
            if number >= len(job.extras) or job.extras[number].state != "there":
                raise Refused("not_found", "it is not there, or not any more")
        except Refused as error:
            return refusal(error)
        order = job.extras[number].order
        end, media = KINDS[order.kind]
        return FileResponse(order.target, media_type=media, filename=f"deepfake-{job.id}-{number}{end}")

    return answer


def refusal(error: Refused, **headers: str) -> JSONResponse:
    """Why something is not given, or not taken."""
    return JSONResponse(problem(error), STATUS[error.kind], head(error) | headers, MEDIA)


class Uploads:
    """Holds the bounds of uploads before Streamlit, which keeps them in memory, reads them."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self._coming = 0  # bytes that are on their way at most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or UPLOADS not in scope["path"] or scope["method"] not in ("PUT", "POST"):
            await self.app(scope, receive, send)
            return
        size = 0
        try:
            size = self._room(dict(scope["headers"]).get(b"content-length", b""))
            self._coming += size
            await self.app(scope, self._timed(receive), send)
        except Refused as error:
            scope["said"] = f"{error.kind}: {error}"
            await refusal(error, Connection="close")(scope, receive, send)
        finally:
            self._coming -= size

    def _room(self, declared: bytes) -> int:
        """Bytes that are kept for what comes. Raises Refused where there is no room."""
        size = int(declared) if declared.isdigit() else self.limits.bytes
        if size > self.limits.bytes + AROUND:
            raise Refused("too_large", f"it has {size / MB:,.0f} MB, above the limit of {self.limits.megabytes:,} MB")
        stats = Runtime.instance().uploaded_file_mgr.get_stats()
        held = sum(stat.byte_length for family in stats.values() for stat in family if isinstance(stat, CacheStat))
        if held + self._coming + size > self.limits.stored_megabytes * MB:
            raise Refused("busy", "the room for uploads is full", 5)
        return size

    def _timed(self, receive: Receive) -> Receive:
        end = time.monotonic() + self.limits.upload_seconds
        whole = False

        async def timed() -> Message:
            nonlocal whole
            if whole:
                return await receive()  # waits for the client to leave
            try:
                async with asyncio.timeout(min(self.limits.idle_seconds, end - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise Refused("slow", f"no byte for {self.limits.idle_seconds:g} s, or no end") from None
            whole = not message.get("more_body", False)
            return message

        return timed
