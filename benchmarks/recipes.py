"""recipes: every recipe side by side on the demo, through one queue of experiments; writes the table of the README.

    python benchmarks/recipes.py [NAME ...] [--full]

Queues each recipe (`dvc exp run --queue`), runs the queue, and reads `dvc exp show`. Without --full each recipe's
training is reduced as its `demo` says: small faces, few frames and epochs, no pretrained weights. The figures compare
reduced trainings on drawn faces; they say that every system runs, and nothing of how the systems rank on real videos.
"""

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from deepfake import recipes

BEGIN, END = "<!-- benchmarks/recipes.py -->", "<!-- end -->"  # of the table in the README
SHOWN = ("encoder", "backbone", "sequence", "head", "fusion", "frames", "side", "epochs", "batch_size", "learning_rate")


def dvc(*arguments: str) -> str:
    """What a command of DVC prints."""
    return subprocess.run(["dvc", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def run_queue(names: list[str]) -> dict[str, float]:
    """Run all that is queued; the seconds that each one's training took, as its log says."""
    subprocess.run(["dvc", "exp", "run", "--run-all"], check=True)
    logs = {name: dvc("queue", "logs", name) for name in names}
    matches = {name: re.search(r"^train: .* in (\d+) s ->", log, re.MULTILINE) for name, log in logs.items()}
    return {name: float(match[1]) for name, match in matches.items() if match}


def results(names: list[str]) -> dict[str, dict[str, Any]]:
    """The params and metrics of each experiment, and of the workspace as `params.yaml`."""
    experiments: dict[str, dict[str, Any]] = {}
    for row in json.loads(dvc("exp", "show", "--json")):
        if row["rev"] == "workspace":
            experiments["params.yaml"] = row["data"]
        for experiment in row.get("experiments") or ():
            if experiment["name"] in names and experiment["revs"][0]["data"]:
                experiments[experiment["name"]] = experiment["revs"][0]["data"]
    return experiments


def line(name: str, data: dict[str, Any], seconds: float | None) -> str:
    """A row of the table."""
    train = data["params"]["params.yaml"]["data"]["train"]
    video = data["metrics"]["reports/metrics.json"]["data"]["video"]
    auc = f"{video['auc']:.3f} [{video['auc_low']:.3f}, {video['auc_high']:.3f}]"
    took = "" if seconds is None else f"{seconds:.0f}"
    cells = [name, *("" if train[key] is None else str(train[key]) for key in SHOWN), took, auc]
    return f"| {' | '.join(cells)} |"


def table(names: list[str], seconds: dict[str, float]) -> str:
    """All as Markdown, the params as they are at the end."""
    head = ["recipe", *(key.replace("_", " ") for key in SHOWN), "training, s", "test video AUC"]
    rows = [line(name, data, seconds.get(name)) for name, data in sorted(results(names).items())]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows])


def main() -> None:
    """Queue, run, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes; all without")
    parser.add_argument("--full", action="store_true", help="as published: needs a GPU, and weights to download")
    arguments = parser.parse_args()
    names = arguments.names or recipes.names()
    if older := sorted(set(names) & set(dvc("exp", "list", "--name-only").split())):
        dvc("exp", "remove", *older)
    for name in names:
        settings = recipes.load(name).overrides(demo=not arguments.full)
        dvc("exp", "run", "--queue", "--name", name, *(word for s in settings for word in ("-S", s)))
    seconds = run_queue(names)
    kind = "as published" if arguments.full else "as reduced for the demo on a CPU (the key `demo` of each file)"
    shown = f"Trained {kind}:\n\n{table(names, seconds)}\n"
    readme = Path("README.md")
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{shown}{END}{rest.split(END)[1]}", encoding="utf-8")
    print(shown)


if __name__ == "__main__":
    main()
