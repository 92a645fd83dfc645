"""requests: each request is a line of the log, and no line is another's."""

import logging
import sys
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake.dataset.files import printable

logger = logging.getLogger("deepfake.serve")
SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))

FORM = "%(asctime)s %(name)s: %(message)s"


def told() -> None:
    """What the service and its server have to say goes to the terminal; what libraries have, does not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORM))
    for name in ("deepfake", "uvicorn.error"):
        own = logging.getLogger(name)
        own.handlers, own.propagate = [handler], False
        own.setLevel(logging.INFO)


class Logging:
    """Logs who asked what, the answer's status, how long it took, and the reason where it was refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *SAFE]
            await send(message)

        try:
            await self.app(scope, receive, sent)
        finally:
            taken = f"{1000 * (time.monotonic() - began):.0f} ms"
            line: list[Any] = [
                (scope.get("client") or ("?",))[0],
                scope["method"],
                scope["raw_path"].decode("ascii", "replace"),
            ]
            logger.info("%s", printable(" ".join(map(str, [*line, status, taken, scope.get("said", "")])).strip()))
