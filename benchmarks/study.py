"""study: what helps a detector to find fakes of methods that it never saw? A training a row, one thing changed in each.

    python benchmarks/study.py crops DETECTOR FORGED... --out CROPS
    python benchmarks/study.py rows PIPELINE CROPS --out ROWS.csv [--more PIPELINE] [--redrawn FOLDER] [--only NAME,...]
    python benchmarks/study.py table ROWS.csv

`crops` prepares the videos of `deepfake forge`, as they are and as a messenger sends them, as DETECTOR would. `rows`
makes pairs of a real and its fake from the photographs of PIPELINE, a folder like data/builtin after `dvc repro`, and
trains a network on them for each row; the logits of the videos go to a table. --more: a second such folder, with more
people; --redrawn: the faces of PIPELINE as other generators draw them. Rows that want what is not given are left out.
All rows learn from as many pairs, for as many steps; those that differ in the network alone from the very same pairs.
`table` says of each row how well it ranks, and what it adds to the first, with 95 % intervals over people.
"""

import argparse
import dataclasses
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml
from joblib import Parallel, delayed

from deepfake import clips, inference
from deepfake.augment import AugmentParams
from deepfake.base import tables
from deepfake.base.memory import keep_memory
from deepfake.base.parallel import jobs
from deepfake.learning.batches import Draw, Sequences, Tracks
from deepfake.measures.intervals import auc, draws
from deepfake.measures.statistics import Sample, ranks
from deepfake.predict import prepared
from deepfake.pseudo.blend import KINDS

ROOT = Path(__file__).parents[1]
COPIES = ("as it is", "usual")
FACES = 5  # of a video
BATCH = 64  # pairs
EMA = 0.99
CHUNK = 100  # pairs made at a time
RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Row:
    """What is changed: of the pairs, of which kinds are learnt from, of the section train of the params."""

    forging: dict[str, Any] = dataclasses.field(default_factory=dict)
    without: tuple[str, ...] = ()
    train: dict[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0
    more: bool = False  # with the people of the second folder
    redrawn: bool = False  # by the other generators
    centre: float = 0.0  # how much the mean logit of a pair counts, squared: what both share is to say nothing
    steps: float = 1.0  # of those of the others
    sharp: float = 0.0  # px: from crops alone that were at least so large in their pictures


NONE = dict.fromkeys(("before", "native", "blur", "noise", "tone", "sharpen", "resize", "jpeg", "video", "again"), 0.0)
HEAVY = {"before": 0.6, "native": 1.0, "blur": 0.4, "noise": 0.4, "resize": 0.6, "video": 0.95, "again": 0.5}
ROWS = {
    "all": Row(),
    "all (seed 1)": Row(seed=1),
    "all (seed 2)": Row(seed=2),
    **{f"without {kind}": Row(without=(kind,)) for kind in KINDS},
    "itself alone": Row(without=tuple(kind for kind in KINDS if kind != "itself")),
    "ellipses for landmarks": Row(forging={"landmarks": False}),
    "no degradation": Row(forging={"degradation": NONE}),
    "no video codecs": Row(forging={"degradation": {"video": 0.0}}),
    "heavier degradation": Row(forging={"degradation": HEAVY}),
    "more people": Row(more=True),
    "larger generators": Row(redrawn=True),
    "large pictures alone": Row(sharp=200),
    "160 px": Row(train={"side": 160}),
    "160 px (seed 1)": Row(train={"side": 160}, seed=1),
    "160 px (seed 2)": Row(train={"side": 160}, seed=2),
    "128 px": Row(train={"side": 128}),
    "96 px": Row(train={"side": 96}),
    "from scratch": Row(train={"pretrained": False}),
    "SqueezeNet": Row(
        train={
            "encoder": "squeezenet",
            "backbone": "caffe",
            "pretrained": "squeezenet1_1_imagenet_features.safetensors",
        }
    ),
    "small CNN": Row(train={"encoder": "small_cnn", "backbone": None, "pretrained": False}),
    "a third of the steps": Row(steps=1 / 3),
    "three times the steps": Row(steps=3),
    "norms alone": Row(train={"trainable": "norm_only"}),
    "last 20 layers": Row(train={"trainable": "last_20_layers"}),
    "smoothed labels": Row(train={"smoothing": 0.1}),
    "pairs centred": Row(centre=0.1),
    "pairs centred more": Row(centre=1.0),
}


def crops(arguments: argparse.Namespace) -> None:
    """The faces of all videos in one array, and where each lies in it."""
    from transfer import listed

    videos = listed(arguments.forged)
    todo = [(file, copy) for file in videos["file"] for copy in COPIES]
    cut = Parallel(n_jobs=jobs(), verbose=1)(delayed(faces_of)(arguments.detector, *pair) for pair in todo)
    rows = pd.DataFrame(todo, columns=["file", "copy"])
    rows["count"] = [len(images) for images in cut]
    rows["start"] = rows["count"].cumsum() - rows["count"]
    arguments.out.mkdir(parents=True)
    np.save(arguments.out / "crops.npy", np.concatenate(cut))
    table = rows.merge(videos, on="file")
    table["file"] = [Path(file).name for file in table["file"]]
    table.to_csv(arguments.out / "crops.csv", index=False)


def faces_of(folder: Path, file: str, copy: str) -> Any:
    """(N, S, S, 3) uint8: faces of a video's longest track, spread over it."""
    import torch
    from transfer import sent

    torch.set_num_threads(1)
    detector = inference.load(folder)
    side = detector.params["detect"]["size"]
    with TemporaryDirectory() as scratch, prepared(sent(Path(file), copy, Path(scratch)), detector) as ready:
        if not ready.images:
            return np.empty((0, side, side, 3), np.uint8)
        images = max(ready.images.values(), key=len)
        return np.asarray(images[np.unique(np.linspace(0, len(images) - 1, FACES).round().astype(int))])


def tracks_of(pipeline: Path, redrawn: Path | None) -> Tracks:
    """The reals of a pipeline's train, as the stage train reads them."""
    sys.path.append(str(ROOT))  # the stages are run, not installed
    from stages.train import drawn

    settings = yaml.safe_load((pipeline / "params.yaml").read_text())
    table = tables.read(pipeline / "data" / "clips.parquet")
    table = table[table["split"] != "test"].reset_index(drop=True)
    generators = drawn(redrawn or pipeline / "data" / "redrawn", table)
    arrays = clips.arrays([pipeline / "data" / file for file in table["file"]], table["positions"])
    forging, margin = AugmentParams.model_validate(settings["augment"]).forging, settings["detect"]["margin"]
    tracks = Tracks(table, arrays, forging, redrawn=generators, margin=margin)
    return tracks.where((table["split"] == "train") & (table["label"] == 0))


def joined(tracks: Tracks, more: Tracks) -> Tracks:
    """Both; those of the second are not redrawn."""
    table = pd.concat([tracks.table, more.table.assign(redrawn=-1)], ignore_index=True)
    return dataclasses.replace(tracks, table=table, files=tracks.files + more.files)


def large(tracks: Tracks, pipeline: Path, side: float) -> Tracks:
    """Those whose crops were at least `side` px in their pictures."""
    if not side:
        return tracks
    margin = yaml.safe_load((pipeline / "params.yaml").read_text())["detect"]["margin"]
    kept = tables.read(pipeline / "data" / "kept.parquet")
    widths = kept.groupby(["video_id", "track"])["width"].min() * (1 + 2 * margin)
    own = pd.MultiIndex.from_frame(tracks.table[["video_id", "track"]])
    return tracks.where(pd.Series(widths.reindex(own).to_numpy() >= side, index=tracks.table.index))


def varied(tracks: Tracks, forging: dict[str, Any]) -> Tracks:
    """With other settings of how fakes are made."""
    settings = tracks.forging.model_dump()
    degradation = settings["degradation"] | forging.get("degradation", {})
    changed = type(tracks.forging).model_validate(settings | forging | {"degradation": degradation})
    return dataclasses.replace(tracks, forging=changed)


def pool(tracks: Tracks, folder: Path, kinds: dict[str, int]) -> None:
    """A file of pairs of each kind, (N, 2, S, S, 3) uint8: the real and its fake."""
    side = int(np.load(tracks.files[0], mmap_mode="r").shape[1])
    assert len(tracks.mates) == len(tracks.files)  # found once, and not by each worker
    todo = []
    for number, (kind, count) in enumerate(kinds.items()):
        file = folder / f"{kind}.npy"
        np.lib.format.open_memmap(file, "w+", np.uint8, (count, 2, side, side, 3))
        weights = {name: float(name == kind) for name in KINDS}
        only = dataclasses.replace(tracks, forging=tracks.forging.model_copy(update=weights))
        order = np.random.default_rng([0, number]).permutation(-(-count // len(tracks.files)) * len(tracks.files))
        chosen = (order % len(tracks.files))[:count].tolist()
        todo += [(only, file, number, start, chosen[start : start + CHUNK]) for start in range(0, count, CHUNK)]
    Parallel(n_jobs=jobs())(delayed(fill)(*part) for part in todo)


def fill(tracks: Tracks, file: Path, number: int, start: int, chosen: list[int]) -> None:
    """Some pairs of a file, in place."""
    keep_memory()
    pairs = np.load(file, mmap_mode="r+")
    made = Sequences(tracks, 1, "spread")
    for place, clip in enumerate(chosen, start):
        seed = int(np.random.default_rng([number, place]).integers(2**32))
        pairs[place] = np.concatenate([images for images, _ in made[Draw(clip, seed, True)]])
    pairs.flush()


def shares(weights: dict[str, float], count: int) -> dict[str, int]:
    """So many pairs, dealt out by the weights."""
    ends = np.rint(np.cumsum(list(weights.values())) / sum(weights.values()) * count).astype(int)
    return dict(zip(weights, np.diff(ends, prepend=0).tolist(), strict=True))


def trained(
    name: str, row: Row, folder: Path, kinds: dict[str, int], draws: int, settings: dict[str, Any], crops: Path
) -> pd.DataFrame:
    """Train the row's network on its pairs: a logit for each video."""
    import torch
    from torch.nn import functional
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    from deepfake.learning.learner import loss_of, optimizer_of, refresh_norms
    from deepfake.models.network import Network, side_of, to_clips
    from deepfake.models.weights import freeze
    from deepfake.train import TrainParams

    began = time.perf_counter()
    there = inference.device()
    gpu = there.type == "cuda"
    torch.set_num_threads(1 if gpu else jobs())
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(row.seed)
    p = TrainParams.model_validate(settings | row.train)
    network, side = Network(p).to(there), side_of(p)
    freeze(network.encoder, p.trainable)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EMA))  # type: ignore[no-untyped-call]
    optimizer = optimizer_of(list(network.parameters()), p)
    parts = [np.load(folder / f"{kind}.npy", mmap_mode="r")[:count] for kind, count in kinds.items()]
    known = torch.cat([torch.from_numpy(np.array(part)).to(there) for part in parts])
    steps = round(draws * row.steps) // BATCH
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    chance = torch.Generator().manual_seed(row.seed)
    rounds = -(-steps * BATCH // len(known))
    order = torch.cat([torch.randperm(len(known), generator=chance) for _ in range(rounds)])
    labels = torch.tensor([0.0, 1.0], device=there).repeat(BATCH)
    mask = torch.ones(2 * BATCH, 1, dtype=torch.bool, device=there)

    def sized(images: torch.Tensor) -> torch.Tensor:
        """(N, S, S, 3) uint8 as clips of a frame, (N, 1, side, side, 3) uint8."""
        if side != images.shape[1]:
            planes = images.permute(0, 3, 1, 2).float()
            planes = functional.interpolate(planes, (side, side), mode="bilinear", antialias=True)
            images = planes.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        return images.unsqueeze(1)

    def batch(step: int) -> torch.Tensor:
        chosen = known[order[step * BATCH : (step + 1) * BATCH].to(there)]
        mirrored = torch.rand(BATCH, generator=chance).to(there) < p.flip
        return sized(torch.where(mirrored[:, None, None, None, None], chosen.flip(3), chosen).flatten(0, 1))

    network.train()
    total = 0.0
    for step in range(steps):
        with torch.autocast(there.type, torch.bfloat16, enabled=gpu):
            logits = network(to_clips(batch(step)), mask)
        logits = logits.float()
        loss = loss_of(logits, labels, p, 1.0) + row.centre * logits.view(BATCH, 2).mean(1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), p.clip)
        optimizer.step()
        rates.step()
        average.update_parameters(network)
        total += loss.detach() if step >= steps * 3 // 4 else 0.0
    network.load_state_dict(average.module.state_dict())
    refresh_norms(network, [(batch(step), mask, labels) for step in range(min(16, steps))])
    table = pd.read_csv(crops / "crops.csv", keep_default_na=False)
    faces = np.load(crops / "crops.npy", mmap_mode="r")
    with torch.inference_mode():
        batches = [torch.from_numpy(np.array(faces[i : i + 64])).to(there) for i in range(0, len(faces), 64)]
        ones = torch.ones(64, 1, dtype=torch.bool, device=there)
        every = np.concatenate([network(to_clips(sized(images)), ones[: len(images)]).cpu() for images in batches])
    means = [every[s : s + n].mean() if n else np.nan for s, n in zip(table["start"], table["count"], strict=True)]
    loss_of_end = float(total) / (steps - steps * 3 // 4)
    print(f"{name}: loss {loss_of_end:.3f}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return table.drop(columns=["start", "count"]).assign(row=name, logit=np.round(means, 4), loss=round(loss_of_end, 3))


def network_of(settings: dict[str, Any]) -> Any:
    """A network as the settings of train say, before it learns."""
    from deepfake.models.network import Network
    from deepfake.train import TrainParams

    return Network(TrainParams.model_validate(settings))


def rows(arguments: argparse.Namespace) -> None:
    """Make the pairs of each variant, and train on them while those of the next are made."""
    names = arguments.only.split(",") if arguments.only else list(ROWS)
    given = {"more": arguments.more, "redrawn": arguments.redrawn}
    chosen = {name: ROWS[name] for name in names if all(given[k] for k in given if getattr(ROWS[name], k))}
    settings = yaml.safe_load((arguments.pipeline / "params.yaml").read_text())["train"]
    settings |= {"pretrained": str(arguments.weights / Path(settings["pretrained"]).name)}
    settings |= {"side": arguments.side or settings["side"]}
    for name, row in chosen.items():
        if isinstance(file := row.train.get("pretrained"), str):
            chosen[name] = dataclasses.replace(row, train=row.train | {"pretrained": str(arguments.weights / file)})
    for row in chosen.values():
        network_of(settings | row.train)  # a wrong name or file is said before any work
    plain = tracks_of(arguments.pipeline, None)
    variants: dict[str, list[str]] = {}
    for name, row in chosen.items():
        variants.setdefault(repr((row.forging, row.more, row.redrawn, row.sharp)), []).append(name)
    weights = plain.forging.weights() | ({} if plain.redrawn else {"drawn": 0.0})
    spawn = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as scratch, ProcessPoolExecutor(arguments.at_once, mp_context=spawn) as trainers:
        waiting = []
        for number, members in enumerate(variants.values()):
            row, began = chosen[members[0]], time.perf_counter()
            tracks = varied(tracks_of(arguments.pipeline, arguments.redrawn) if row.redrawn else plain, row.forging)
            tracks = joined(tracks, tracks_of(arguments.more, None)) if row.more else tracks
            tracks = large(tracks, arguments.pipeline, row.sharp)
            folder = Path(scratch, str(number))
            folder.mkdir()
            alone = any(len(chosen[name].without) == len(KINDS) - 1 for name in members)
            counts = {kind: count for kind, count in shares(weights, arguments.pairs).items() if count}
            pool(tracks, folder, counts | ({"itself": arguments.pairs} if alone else {}))
            print(f"pairs of {members}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            for name in members:
                kinds = {kind: count for kind, count in counts.items() if kind not in chosen[name].without}
                kinds = dict.fromkeys(kinds, arguments.pairs) if len(kinds) == 1 else kinds
                of = (folder, kinds, arguments.pairs * arguments.epochs, settings, arguments.crops)
                waiting.append(trainers.submit(trained, name, chosen[name], *of))
        for _ in as_completed(waiting):  # what is there is kept, whatever becomes of the rest
            there = [task.result() for task in waiting if task.done()]
            pd.concat(there).to_csv(arguments.out, index=False)


def table(arguments: argparse.Namespace) -> None:
    """The study in Markdown."""
    results = pd.concat([pd.read_csv(file, keep_default_na=False) for file in arguments.rows])
    results["logit"] = pd.to_numeric(results["logit"])
    names = list(dict.fromkeys(results["row"]))
    bases = [name for name in names if name.startswith("all")]
    print("| row | loss | as it is: AUC | within a source | against all | sent: AUC | within | against all |")
    print("|---|" + "---|" * 7)
    for name in names:
        own = results[results["row"] == name]
        cells = []
        for copy in COPIES:
            part = own[own["copy"] == copy].dropna(subset="logit").reset_index(drop=True)
            sample = Sample.rows(part["label"], part["logit"], part["group"])
            figures = auc(sample, RESAMPLES, seed=0)
            others = [sample_of(results, base, copy) for base in bases]
            times = np.vstack([np.ones((1, sample.groups)), draws(sample.groups, RESAMPLES, 0)])
            gain = ranks(sample, times)["auc"] - np.mean([ranks(other, times)["auc"] for other in others], axis=0)
            low, high = np.nanquantile(gain[1:], [0.025, 0.975])
            cells += [
                f"{figures['auc']:.3f} [{figures['auc_low']:.3f}, {figures['auc_high']:.3f}]",
                f"{within(part):.3f}",
                f"{gain[0]:+.3f} [{low:+.3f}, {high:+.3f}]",
            ]
        print(f"| {name} | {own['loss'].iloc[0]} | " + " | ".join(cells) + " |")
    print()
    methods = sorted(set(results["method"]) - {"real"})
    print("| row | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
    for name in names:
        cells = []
        for method in methods:
            pair = [by_method(sample_rows(results, name, copy), method) for copy in COPIES]
            cells.append(" / ".join(f"{value:.2f}" for value in pair))
        print(f"| {name} | " + " | ".join(cells) + " |")


def sample_rows(results: pd.DataFrame, name: str, copy: str) -> pd.DataFrame:
    return results[(results["row"] == name) & (results["copy"] == copy)].dropna(subset="logit").reset_index(drop=True)


def sample_of(results: pd.DataFrame, name: str, copy: str) -> Sample:
    part = sample_rows(results, name, copy)
    return Sample.rows(part["label"], part["logit"], part["group"])


def auc_of(part: pd.DataFrame) -> float:
    return float(
        ranks(Sample.rows(part["label"], part["logit"], part["group"]), np.ones((1, part["group"].nunique())))["auc"][0]
    )


def by_method(part: pd.DataFrame, method: str) -> float:
    return auc_of(part[part["method"].isin(("real", method))])


def within(part: pd.DataFrame) -> float:
    """The mean AUC within the sources of more than five people."""
    source = part["file"].str.split("_").str[0]
    return float(np.mean([auc_of(own) for _, own in part.groupby(source) if own["group"].nunique() > 5]))


def main() -> None:
    """Read the arguments and do as told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("crops")
    command.add_argument("detector", type=Path)
    command.add_argument("forged", type=Path, nargs="+")
    command.add_argument("--out", type=Path, required=True)
    command.set_defaults(run=crops)
    command = commands.add_parser("rows")
    command.add_argument("pipeline", type=Path)
    command.add_argument("crops", type=Path)
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--more", type=Path)
    command.add_argument("--redrawn", type=Path)
    command.add_argument("--weights", type=Path, default=Path("data/weights"))
    command.add_argument("--only", help="of " + ", ".join(ROWS))
    command.add_argument("--pairs", type=int, default=10_000, help="made for each variant of the data")
    command.add_argument("--epochs", type=int, default=3, help="of these pairs, mirrored as often as not")
    command.add_argument("--side", type=int, help="px of the faces, in place of the params'")
    command.add_argument("--at-once", type=int, default=1, help="trainings beside each other")
    command.set_defaults(run=rows)
    command = commands.add_parser("table")
    command.add_argument("rows", type=Path, nargs="+")
    command.set_defaults(run=table)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
