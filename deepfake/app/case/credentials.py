"""credentials: what a file's signed history (C2PA) says, read without the network; it is no opinion of a detector."""

import json
from pathlib import Path
from typing import Any

# nothing is fetched: neither a manifest that lies elsewhere, nor whether a certificate was revoked
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
NONE = "The file holds no content credentials (C2PA). Most files hold none; that says nothing."
ABSENT = {"state": "absent", "said": NONE}


def credentials(path: Path, seen: bool) -> dict[str, Any]:
    """What the file's credentials say, as JSON; `seen`: its bytes show that there are some."""
    try:
        import c2pa
    except ImportError:
        if not seen:
            return ABSENT
        return {"state": "unread", "said": "Content credentials (C2PA) are present and were not verified: "
                "pip install 'deepfake[case]'"}  # fmt: skip
    try:
        with c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context:
            reader = c2pa.Reader.try_create(str(path), context=context)
            if reader is None:
                return ABSENT if not seen else broken("its manifest is not where one belongs")
            with reader:
                return told(json.loads(reader.json()), reader.get_validation_state())
    except c2pa.C2paError as error:
        return broken(str(error)) if seen else ABSENT


def broken(why: str) -> dict[str, Any]:
    """Bytes of credentials are there, and cannot be read."""
    return {"state": "broken", "said": f"Content credentials (C2PA) are present and cannot be read: {why}"}


def told(store: dict[str, Any], state: str | None) -> dict[str, Any]:
    """What a manifest store says: who signed it, by which program, what was done, and whether that holds."""
    active = store.get("manifests", {}).get(store.get("active_manifest", ""), {})
    signed = active.get("signature_info", {})
    actions = [
        action
        for assertion in active.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    makers = [generator.get("name", "") for generator in active.get("claim_generator_info", [])]
    kinds = {str(action["digitalSourceType"]) for action in actions if "digitalSourceType" in action}
    faults = sorted({status.get("code", "") for status in store.get("validation_status", [])})
    words = {"Trusted": "hold, and their signer is trusted", "Valid": "hold; nobody vouches for their signer"}
    return {
        "state": (state or "unknown").lower(),
        "said": f"Content credentials (C2PA) are present; they {words.get(str(state), 'do not hold')}.",
        "signer": signed.get("issuer", ""),
        "signed": signed.get("time", ""),
        "program": ", ".join(filter(None, makers or [active.get("claim_generator", "")])),
        "actions": [str(action.get("action", "")) for action in actions],
        "sources": sorted(kind.rsplit("/", 1)[-1] for kind in kinds),
        "faults": faults,
    }
