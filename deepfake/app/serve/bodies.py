"""bodies: the bytes of an upload on their way to disk, raw or as a form, never all in memory, never waited for long."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from deepfake.app.service.inbox import Upload
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused

AROUND = 2**16  # bytes of a form around its file: boundaries, heads, small fields
FORM = b"multipart/form-data"
Started = Callable[[str], Upload]  # a name -> an upload


def length(request: Request) -> int | None:
    """The bytes of the body as the client declares them, those around a form's file left out; None where it is mute."""
    declared = request.headers.get("content-length", "")
    if not declared:
        return None
    if not declared.isdecimal():
        raise Refused("invalid", "Content-Length is no number")
    form = parse_options_header(request.headers.get("content-type"))[0] == FORM
    return max(1, int(declared) - AROUND * form)


async def received(request: Request, name: str, begin: Started, limits: Limits) -> Upload:
    """The upload of a request, whole. Raises Refused; then nothing of it is left."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    form = Form(options.get(b"boundary", b""), name, begin) if kind == FORM else None
    upload = None if form else begin(name)
    try:
        async for piece in timed(request, limits):
            if form:
                form.write(piece)
            elif upload:
                upload.write(piece)
        if form:
            form.finish()
    except BaseException:
        if upload := form.upload if form else upload:
            upload.remove()
        raise
    whole = form.upload if form else upload
    if whole is None:
        raise Refused("invalid", "the form has no file")
    return whole


async def timed(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The pieces of a body. Raises Refused where one lets wait, or all of them take too long, or the client leaves."""
    end = time.monotonic() + limits.upload_seconds
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(min(limits.idle_seconds, end - time.monotonic())):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            late = f"no byte for {limits.idle_seconds:g} s, or no end after {limits.upload_seconds:g} s"
            raise Refused("slow", late) from None
        except ClientDisconnect:
            raise Refused("invalid", "the client left before the end of its upload") from None
        yield piece


class Form:
    """A multipart/form-data body, of which the one file goes to an upload, and small fields are passed over."""

    def __init__(self, boundary: bytes, name: str, begin: Started) -> None:
        self.upload: Upload | None = None
        self._name, self._begin = name, begin
        self._around, self._whole, self._ours = 0, False, False
        self._field, self._value = b"", b""
        self._said: dict[bytes, bytes] = {}
        calls: Any = {
            "on_part_begin": self._part,
            "on_header_field": self._read_field,
            "on_header_value": self._read_value,
            "on_header_end": self._head,
            "on_headers_finished": self._heads,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, calls)
        except FormParserError as error:
            raise Refused("invalid", f"the form: {error}") from None
        if not boundary:
            raise Refused("invalid", "the form has no boundary")

    def write(self, piece: bytes) -> None:
        """The next piece of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Refused("invalid", f"the form: {error}") from None

    def finish(self) -> None:
        """That was all of the body."""
        if not self._whole:
            raise Refused("invalid", "the form ends before its last boundary")

    def _part(self) -> None:
        self._said, self._ours = {}, False

    def _read_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _head(self) -> None:
        self._said[self._field.lower()] = self._value
        self._field = self._value = b""

    def _heads(self) -> None:
        _, options = parse_options_header(self._said.get(b"content-disposition"))
        if b"filename" in options:
            if self.upload:
                raise Refused("invalid", "the form has more than one file")
            self.upload = self._begin(self._name or options[b"filename"].decode("utf-8", "replace"))
            self._ours = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._ours and self.upload:
            self.upload.write(data[start:end])
            return
        self._around += end - start
        if self._around > AROUND:
            raise Refused("too_large", "the form has large fields beside its file")

    def _end(self) -> None:
        self._whole = True
