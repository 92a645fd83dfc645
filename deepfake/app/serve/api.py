"""api: the paths of the service, and what each answers."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from deepfake.app.serve import bodies
from deepfake.app.serve.problems import handle
from deepfake.app.service import problems
from deepfake.app.service.desk import Desk
from deepfake.app.service.jobs import Job
from deepfake.app.service.refusal import Refused
from deepfake.app.service.requests import Logging

LONGEST_WAIT = 60  # s
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "refused, with the reason", "content": {problems.MEDIA: {"schema": problems.SCHEMA}}},
    "5XX": {"description": "not now, or not at all", "content": {problems.MEDIA: {"schema": problems.SCHEMA}}},
}


class Box(BaseModel):
    """A face that was found."""

    time: float = Field(description="s")
    track: int
    left: float = Field(description="px of the video as shown, as are the others")
    top: float
    width: float
    height: float
    left_out: str = Field(description="why it was not looked at, or nothing")


class Result(BaseModel):
    """What one model says."""

    model_config = ConfigDict(extra="allow")  # whatever a prediction holds
    model: str
    outcome: str = Field(description="SCORED, or NOT_APPLICABLE: see status and reason")
    status: str = Field(description="ok, truncated, no_face, too_few_faces, decode_error ...")
    reason: str
    score: float | None = Field(description="P(fake), calibrated")
    verdict: str | None = Field(description="fake, real or inconclusive")
    threshold: float
    tracks: list[dict[str, Any]]
    boxes: list[Box] | None = Field(description="of every face, by time; null where the answer is that of the log")


class Answer(BaseModel):
    """A video that was taken, and what is said of it."""

    id: str
    state: str = Field(description="waiting, running, done or failed")
    name: str
    bytes: int
    sha256: str
    time: str = Field(description="when it was taken, UTC")
    video: dict[str, Any] = Field(description="codec, width, height, seconds, frames")
    models: list[str]
    before: int = Field(description="videos to be judged before this one")
    results: list[Result] = Field(description="one a model, once it is done")
    problem: dict[str, Any] | None = Field(description="why it failed")


Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="seconds to wait for the result")]
Id = Annotated[str, Path(max_length=64)]


def application(desk: Desk, token: str = "") -> FastAPI:
    """The service of a desk, closed with it; with a token for those alone who send it as `Authorization: Bearer`."""

    spellings = {os.fsencode(token), token.encode("latin-1", "ignore")}  # clients send what is not ASCII so or so

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    def allowed(request: Request) -> None:
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        given = sent.encode("latin-1").strip()  # the bytes of the header
        known = any(secrets.compare_digest(given, spelling) for spelling in spellings)  # each in constant time
        if token and not (kind.lower() == "bearer" and known):
            raise Refused("unauthorized", "send Authorization: Bearer and the token of this service")

    app = FastAPI(title="deepfake", lifespan=lifespan, docs_url=None, redoc_url=None, responses=ERRORS)  # no CDN
    app.add_middleware(Logging)
    handle(app)
    guarded = [Depends(allowed)]

    @app.post("/videos", response_model=Answer, openapi_extra={"requestBody": BODY}, dependencies=guarded)
    async def judge(
        request: Request,
        wait: Wait = 0,
        model: Annotated[list[str], Query(description="its name; all without any")] = [],  # noqa: B006
        name: Annotated[str, Query(max_length=1000, description="of the file, where the body is the file alone")] = "",
        anew: Annotated[bool, Query(description="whatever was said of the same bytes before")] = False,
    ) -> Response:
        """Hand in a video or a picture for each model to judge: 200 and what they say, or 202 and where to ask."""
        desk.chosen(model)  # before a byte is read
        place = desk.enter(request.client.host if request.client else "", bodies.length(request))
        try:
            upload = await bodies.received(request, name, desk.inbox.upload, desk.limits)
        except BaseException:
            place.leave()
            raise
        job = await run_in_threadpool(desk.take, upload, place, model, anew)
        request.scope["said"] = f"{job.id} {job.name!r}"
        return await answer(job, wait)

    @app.get("/videos/{id}", response_model=Answer, dependencies=guarded)
    async def ask(id: Id, wait: Wait = 0) -> Response:
        """What is said of a video so far: 200 where it is over, 202 where it is not."""
        return await answer(desk.job(id), wait)

    @app.delete("/videos/{id}", status_code=204, dependencies=guarded)
    def forget(id: Id) -> None:
        """Forget a video, and end what is done with it."""
        desk.remove(id)

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether it works, and how much is being done."""
        return desk.health()

    @app.get("/models", dependencies=guarded)
    def models() -> list[dict[str, Any]]:
        """The detectors: what they are, how well they did in validation, how videos are prepared for them."""
        return [model.to_dict() for model in desk.models.values()]

    @app.get("/limits", dependencies=guarded)
    def limits() -> dict[str, dict[str, Any]]:
        """The bounds of this service, and what each is of."""
        return desk.limits.table()

    async def answer(job: Job, wait: float) -> Response:
        await asyncio.wait([asyncio.wrap_future(job.finished)], timeout=wait)
        over = job.state in ("done", "failed")
        body = job.to_dict() | {"before": 0 if over else desk.before(job)}
        body["problem"] = problems.problem(job.refused) if job.refused else None
        headers = {"Location": f"/videos/{job.id}"} | ({} if over else {"Retry-After": "1"})
        return JSONResponse(body, 200 if over else 202, headers)

    return app
