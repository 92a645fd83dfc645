"""words: what a result means, in plain words: the verdict, the reasons for it, and the doubts."""

from collections.abc import Iterator, Mapping
from typing import Any

from deepfake.scope import Scope

HEADS = {  # wording of a verdict: what a person reads first
    "manipulated": "Looks manipulated",
    "suspicious": "Suspicious",
    "authentic": "Looks authentic",
    "nothing suspicious": "Nothing suspicious",
    "inconclusive": "Inconclusive",
}
FEW = 5  # pictures of a face: fewer are little to go by
GUESS = 0.5  # AUC of guessing


def head(facts: Mapping[str, Any]) -> str:
    """The verdict of a result."""
    if facts["score"] is None:
        return "Cannot be judged"
    return HEADS.get(str(facts["wording"]), str(facts["verdict"]).capitalize())


def reasons(facts: Mapping[str, Any]) -> Iterator[str]:
    """Why it is so, a sentence each."""
    if facts["score"] is None:
        yield f"{sentence(facts['reason'] or facts['status'])} Nothing is said where there is nothing to go by."
        return
    likely, bound = percent(facts["score"]), percent(facts["threshold"])
    yield f"It takes this for forged with a probability of {likely}; from {bound} on it says so."
    yield "Before looking, it takes real and forged for equally likely."
    if facts["reason"] and facts["verdict"] == "inconclusive":
        yield f"It does not decide: {sentence(facts['reason'])}"
    elif facts["reason"] and facts["status"] == "ok":
        yield sentence(facts["reason"])
    for track in facts["tracks"]:
        when = f"from {track['start']:.1f} to {track['end']:.1f} s"
        loud = "" if track.get("time") is None else f", and most telling at {track['time']:.1f} s"
        yield f"Face {track['track']}: {percent(track['score'])}, by {track['faces']} pictures {when}{loud}."


def doubts(facts: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against trusting it, a sentence each."""
    if model["untrained"]:
        yield f"This detector did not learn to tell forgeries: {sentence(model['untrained'])}"
    yield from ranked(model)
    if facts["score"] is not None:
        if facts["status"] != "ok":
            yield f"The file is damaged ({facts['status']}): {sentence(facts['reason'])}"
        most = max((track["faces"] for track in facts["tracks"]), default=0)
        if most < FEW:
            yield f"No face was seen in more than {most} pictures: little to go by."
    yield "It knows the kinds of forgery that it was trained on; others, and strong compression, may mislead it."
    if model["scope"]:
        yield f"It was measured on these methods of forging: {Scope.model_validate(model['scope']).methods}."


def ranked(model: Mapping[str, Any]) -> Iterator[str]:
    """How well it tells forged videos, on its test where its card tells of one, else on its validation."""
    if model["scope"]:
        columns = Scope.model_validate(model["scope"]).columns
        aucs = {f"On its test ({name})": column.auc.value for name, column in columns.items()}
    else:
        aucs = {"In its own validation": model["validation"].get("auc")}
    for where, auc in aucs.items():
        if auc is not None:
            yield (
                f"{where} it ranked a forged video above a real one in {percent(auc)} of the pairs; "
                f"{percent(GUESS)} would be guessing."
            )


def percent(share: float) -> str:
    """A share in words, never surer than it is: 0.4936 -> 49 %."""
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %" if not 0.01 <= share <= 0.99 else f"{100 * share:.0f} %"


def sentence(text: str) -> str:
    """A reason as a sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
