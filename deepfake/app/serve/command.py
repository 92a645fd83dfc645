"""command: `deepfake serve`: what a detector says, over HTTP."""

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from deepfake.app.service.options import Folders, Log, Settings, free, logged, needed, settings

TOKEN = "DEEPFAKE_TOKEN"


def serve(
    detector: Folders = [],  # noqa: B006
    host: Annotated[str, typer.Option(help="the address it listens at; 0.0.0.0 is everywhere")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one")] = 8000,
    limit: Settings = [],  # noqa: B006
    log: Log = None,
) -> None:
    """Judge videos over HTTP: POST /videos, GET /videos/ID, /models, /limits, /health; described in /openapi.json.

    With DEEPFAKE_TOKEN set, only those who send it are answered (Authorization: Bearer ...). Every bound is a limit:
    deepfake serve --limit megabytes=50 --limit workers=2; /limits, and deepfake serve --limit help, list them.
    """
    limits = settings(limit)
    free(host, port)
    with needed("serve", "deepfake serve"):
        from deepfake.app.serve.api import application
        from deepfake.app.service.desk import Desk
        from deepfake.app.service.requests import told
        from deepfake.app.service.server import server
    from deepfake.app.service import models

    told("deepfake", "uvicorn.error")
    desk = Desk(models.load(detector), limits, logged(log))
    try:
        desk.ready()
        token = os.environ.get(TOKEN, "").strip()
        if host not in ("127.0.0.1", "::1", "localhost") and not token:
            print(f"serve: whoever reaches {host} may use it; {TOKEN} asks for a token", file=sys.stderr)
        print(f"serve: {', '.join(desk.models)} at http://{host}:{port}; {limits.words()}", file=sys.stderr)
        with suppress(KeyboardInterrupt):  # which is how it ends
            server(application(desk, token), host, port, limits).run()
    finally:
        desk.close()
