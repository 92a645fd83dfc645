"""requests: each request is a line of the log, and no line is another's."""

import logging
import sys
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake.dataset.files import printable

logger = logging.getLogger("deepfake.serve")
NO_SNIFF, NO_STORE = (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")

FORM = "%(asctime)s %(name)s: %(message)s"


def told(*names: str) -> None:
    """What these loggers have to say goes to the terminal; what other libraries have, does not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORM))
    for name in names:
        own = logging.getLogger(name)
        own.handlers, own.propagate = [handler], False
        own.setLevel(logging.INFO)


class Logging:
    """Logs who asked what, the answer's status, how long it took, and the reason where it was refused."""

    def __init__(self, app: ASGIApp, quiet: tuple[str, ...] = ()) -> None:
        self.app, self.quiet = app, quiet  # beginnings of paths whose good answers are no line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0
        quiet = any(scope["path"].startswith(beginning) for beginning in self.quiet)

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), NO_SNIFF, *(() if quiet else (NO_STORE,))]
            await send(message)

        try:
            await self.app(scope, receive, sent)
        finally:
            if status >= 400 or not quiet:
                who, path = (scope.get("client") or ("?",))[0], scope["raw_path"].decode("ascii", "replace")
                taken = f"{1000 * (time.monotonic() - began):.0f} ms"
                line = f"{who} {scope['method']} {path} {status} {taken} {scope.get('said', '')}"
                logger.info("%s", printable(line.strip()))
