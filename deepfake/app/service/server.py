"""server: uvicorn with bounds of its own: how many connections, and how long the head of a request may take."""

import asyncio
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from deepfake.app.service import problems
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.app.service.requests import logger

GRACE = 5  # s, for answers on their way when the service ends


def server(app: Any, host: str, port: int, limits: Limits, sockets: bool = False) -> uvicorn.Server:
    """The server of an ASGI application, ready to run; with web sockets where it has some."""

    class Bounded(Patient):
        bounds = limits

    return uvicorn.Server(
        uvicorn.Config(
            app,
            host,
            port,
            http=Bounded,
            ws="auto" if sockets else "none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who asks is who is connected: a header is easily written
            timeout_keep_alive=round(limits.idle_seconds),
            timeout_graceful_shutdown=GRACE,
        )
    )


class Patient(H11Protocol):
    """A connection that is closed where the head of a request does not come, and is none where there are too many."""

    bounds: Limits

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.timer: asyncio.TimerHandle | None = None
        self.upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self.refuse(Refused("busy", f"there are {self.bounds.connections} connections", 1))
        else:
            self.watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self.refuse(Refused("invalid", msg))

    def watch(self) -> None:
        """Time the head of a request that began: its body is timed by who reads it, and a pause by uvicorn."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.stop()
        elif self.timer is None and not self.upgraded and not self.transport.is_closing():
            slow = Refused("slow", f"no whole head of a request within {self.bounds.idle_seconds:g} s")
            self.timer = self.loop.call_later(self.bounds.idle_seconds, self.refuse, slow)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self.stop()
        self.upgraded = True  # another protocol has the connection
        super().handle_websocket_upgrade(event)

    def stop(self) -> None:
        """No head is waited for."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def refuse(self, refused: Refused) -> None:
        """Answer without a request, and close."""
        self.stop()
        logger.info(
            "%s - - %s %s: %s", self.client and self.client[0], problems.STATUS[refused.kind], refused.kind, refused
        )
        self.transport.write(problems.raw(refused))
        self.transport.close()
