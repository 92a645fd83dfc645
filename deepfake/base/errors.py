"""errors: what is said when data, params or the call are wrong; anything else is a bug and shows its traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A user's mistake: where, what was found, what would be right; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.args[0]}\n  hint: {self.hint}" if self.hint else str(self.args[0])


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UserError:
    """The error for a name that nothing has: lists the choices and the nearest of them."""
    choices = sorted(known)
    close = get_close_matches(name, choices, n=1)
    message = f"{where + ': ' if where else ''}no {kind} {name!r}; there are: {', '.join(choices) or 'none'}"
    return UserError(message, f"did you mean {close[0]!r}?" if close else f"choose one of the {kind}s listed")
