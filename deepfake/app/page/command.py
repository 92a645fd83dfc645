"""command: `deepfake app`: what a detector says, in a browser."""

import sys
from contextlib import suppress
from typing import Annotated

import typer

from deepfake.app.service.options import Folders, Log, Settings, free, logged, needed, settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def app(
    detector: Folders = [],  # noqa: B006
    host: Annotated[str, typer.Option(help="the address it listens at; 0.0.0.0 is everywhere")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one")] = 8501,
    limit: Settings = [],  # noqa: B006
    log: Log = None,
) -> None:
    """A page in the browser: choose detectors, upload a video, see its faces, the verdicts and the doubts.

    Every bound is a limit: deepfake app --limit megabytes=50; --limit help lists them. The prediction log is shown to
    whoever is on this machine, where it listens to nobody else.
    """
    limits = settings(limit)
    free(host, port)
    with needed("app", "deepfake app"):
        from deepfake.app.page.host import application
        from deepfake.app.service.desk import Desk
        from deepfake.app.service.requests import told
        from deepfake.app.service.server import server
    from deepfake.app.service import models

    known = logged(log)
    told("deepfake")
    desk = Desk(models.load(detector), limits, known, pictures=True)
    try:
        desk.ready()
        if host not in LOOPBACK:
            print(f"app: whoever reaches {host} may use it", file=sys.stderr)
        print(f"app: {', '.join(desk.models)} at http://{host}:{port}; {limits.words()}", file=sys.stderr)
        with suppress(KeyboardInterrupt):  # which is how it ends
            server(application(desk, known and host in LOOPBACK), host, port, limits, sockets=True).run()
    finally:
        desk.close()
