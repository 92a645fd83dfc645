"""problems: every error as application/problem+json. Source: RFC 9457, "Problem details for HTTP APIs", 2023."""

import json
from typing import Any

from deepfake.app.service.refusal import Refused

MEDIA = "application/problem+json"
STATUS = {  # kind of a refusal: status
    "unauthorized": 401,
    "not_found": 404,
    "invalid": 422,
    "busy": 503,
    "too_many": 429,
    "slow": 408,
    "too_large": 413,
    "empty": 422,
    "not_a_video": 415,
    "too_many_pixels": 422,
    "too_long": 422,
    "too_many_frames": 422,
    "too_heavy": 422,
    "timeout": 504,
    "failed": 500,
    "cancelled": 410,
}
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:deepfake: and the kind, for programs"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "the reason, in words"},
    },
}


def problem(refused: Refused) -> dict[str, Any]:
    """A refusal as its members."""
    return {
        "type": f"urn:deepfake:{refused.kind}",
        "title": refused.title,
        "status": STATUS[refused.kind],
        "detail": refused.reason,
    }


def head(refused: Refused) -> dict[str, str]:
    """The headers that go with a refusal."""
    headers = {"Retry-After": str(refused.retry)} if refused.retry else {}
    return headers | ({"WWW-Authenticate": "Bearer"} if refused.kind == "unauthorized" else {})


def raw(refused: Refused) -> bytes:
    """A refusal as a whole HTTP answer, for a connection that has no request yet."""
    body = json.dumps(problem(refused)).encode()
    lines = [
        f"HTTP/1.1 {STATUS[refused.kind]} {refused.title}",
        f"Content-Type: {MEDIA}",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in head(refused).items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body
