"""problems: where the application refuses, or fails, it answers with a problem."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from deepfake.app.service.problems import MEDIA, STATUS, head, problem
from deepfake.app.service.refusal import Refused


def handle(app: FastAPI) -> None:
    """Answer with problems wherever the application refuses, or fails."""

    def refuse(request: Request, refused: Refused) -> Response:
        request.scope["said"] = f"{refused.kind}: {refused.reason}"
        # what was not read of a body is not waited for
        headers = head(refused) | ({"Connection": "close"} if request.method == "POST" else {})
        return JSONResponse(problem(refused), STATUS[refused.kind], headers, MEDIA)

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        return refuse(request, error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return refuse(request, Refused("invalid", faults))

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> Response:
        request.scope["said"] = error.detail
        members = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
        return JSONResponse(members, error.status_code, error.headers, MEDIA)

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> Response:
        return refuse(request, Refused("failed", f"an error inside: {type(error).__name__}"))
