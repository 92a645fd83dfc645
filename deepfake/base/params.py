"""params: the settings that change a result, read from params.yaml and checked."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deepfake.base.errors import UserError, unknown


class Params(BaseModel):
    """One section of params.yaml: frozen, every key needed unless it has a default, an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def live(self) -> dict[str, Any]:
        """The settings that shape a result, as JSON has them: without those that are idle."""
        return self.model_dump(mode="json", exclude=self.idle())

    def idle(self) -> set[str]:
        """The names of the settings that nothing uses while the others are what they are; a section names its own."""
        return set()


P = TypeVar("P", bound=Params)
FILE = Path("params.yaml")


def load(section: str, model: type[P], path: Path = FILE) -> P:
    """The section of the file as its model.

    Raises UserError for a missing file or section, and names all the faults of the section at once.
    """
    values = sections(path)
    if section not in values:
        raise unknown("section", section, values, where=str(path))
    return check(values[section], model, where=f"{path}: {section}")


def sections(path: Path = FILE) -> dict[str, Any]:
    """All sections of the file, unchecked. Raises UserError where there is none, or no YAML."""
    if not path.is_file():
        raise UserError(f"no {path} in {Path.cwd()}", "run the command in the folder of the pipeline")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}", "mind indentation and colons") from None
    return {str(name): section for name, section in values.items()} if isinstance(values, dict) else {}


def check(values: Any, model: type[P], where: str) -> P:
    """The values as the model; `where` opens each line of the error."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join([where, *map(str, e['loc'])])}: {fault(e)}" for e in error.errors()]
        unused = [str(e["loc"][-1]) for e in error.errors() if e["type"] == "extra_forbidden"]
        near = [
            f"{key!r} -> {close[0]!r}" for key in unused if (close := get_close_matches(key, model.model_fields, 1))
        ]
        hint = f"did you mean {', '.join(near)}?" if near else f"its keys are: {', '.join(model.model_fields)}"
        raise UserError("\n".join(faults), hint) from None


def fault(error: Any) -> str:
    """One fault in words, with what was found."""
    if error["type"] in ("missing", "extra_forbidden"):
        return {"missing": "missing", "extra_forbidden": "no such key"}[error["type"]]
    return f"{error['msg'].removeprefix('Value error, ')} (got {error['input']!r})"
