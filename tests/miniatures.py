"""miniatures: for each layout a small tree with the real names and lists of its dataset, and all that a scan is to say.

Each has the traps of its kind: one stem under several methods, missing originals, strays, suffixes in capitals.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = ("identities", "method", "dataset", "compression", "source", "split", "collection")
GENERAL = {"folders", "images", "manifest"}


@dataclass(frozen=True)
class Miniature:
    """Files to make, lists to write, and what each video's row is to say."""

    rows: dict[str, dict[str, Any]]  # path: what differs from a real of which nothing is known
    lists: dict[str, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    left: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # the beginning of each

    def lay(self, root: Path, content: bytes = b"") -> Path:
        """Make the tree; every video has the same content."""
        for name in [*self.rows, *self.strays]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        for name, text in self.lists.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def expected(self) -> list[dict[str, Any]]:
        """The whole rows, sorted by path."""
        nothing = {"label": 0, **dict.fromkeys(TEXTS, "")}
        return [{"video_id": path, "path": path} | nothing | row for path, row in sorted(self.rows.items())]


def fake(**known: Any) -> dict[str, Any]:
    return {"label": 1, **known}


YOUTUBE = {
    "000": "--b1Ua-kWJE 0",
    "343": "S_dlCMlgokU 0",
    "605": "nUNnFudF2pA 0",
    "606": "nUNnFudF2pA 1",
}
FF, C23, C40 = {"dataset": "FaceForensics++"}, {"compression": "c23"}, {"compression": "c40"}
REAL = "original_sequences/youtube/{}/videos/{}"
FAKE = "manipulated_sequences/{}/{}/videos/{}"
ACTORS = "original_sequences/actors/c23/videos/{}"


def filmed(name: str, split: str = "", person: str = "") -> dict[str, Any]:
    return {"identities": person or name, "split": split, "source": f"youtube:{YOUTUBE[name].split()[0]}"} | FF


SWAP = {"identities": "000+003", "split": "test"} | FF

faceforensics = Miniature(
    rows={
        REAL.format("c23", "000.mp4"): filmed("000", "test") | C23,
        REAL.format("c40", "000.MP4"): filmed("000", "test") | C40,
        REAL.format("c23", "605.mp4"): filmed("605", "train") | C23,
        REAL.format("c23", "606.mp4"): filmed("606", "val", person="605") | C23,
        REAL.format("c23", "343.mp4"): filmed("343", person="043") | C23,
        **{
            FAKE.format(method, "c23", "000_003.mp4"): fake(
                method=method, source=REAL.format("c23", "000.mp4"), **SWAP, **C23
            )
            for method in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
        },
        FAKE.format("Deepfakes", "c40", "000_003.mp4"): fake(
            method="Deepfakes", source=REAL.format("c40", "000.MP4"), **SWAP, **C40
        ),
        FAKE.format("Deepfakes", "c0", "000_003.mp4"): fake(
            method="Deepfakes", source=REAL.format("c23", "000.mp4"), compression="raw", **SWAP
        ),
        FAKE.format("Deepfakes", "c23", "003_000.mp4"): fake(
            method="Deepfakes", identities="003+000", source="absent:003", split="test", **FF, **C23
        ),
        ACTORS.format("01__talking_against_wall.mp4"): {"identities": "01", "dataset": "DFD"} | C23,
        FAKE.format("DeepFakeDetection", "c23", "01_02__talking_against_wall__YVGY8LOK.mp4"): fake(
            method="DeepFakeDetection",
            identities="01+02",
            dataset="DFD",
            source=ACTORS.format("01__talking_against_wall.mp4"),
            **C23,
        ),
        FAKE.format("DeepFakeDetection", "c23", "03_02__exit_phone_room__A1B2C3D4.mp4"): fake(
            method="DeepFakeDetection", identities="03+02", dataset="DFD", source="absent:03__exit_phone_room", **C23
        ),
    },
    lists={
        "splits/train.json": '[["605", "591"]]',
        "splits/val.json": '[["606", "567"]]',
        "splits/test.json": "[[0, 3]]",
        "conversion_dict.json": json.dumps(YOUTUBE),
    },
    strays=(
        "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
        "downloaded_videos/--b1Ua-kWJE/--b1Ua-kWJE.mp4",
        "original_sequences/youtube/c23/videos/readme.txt",
    ),
    left={".mp4 not of FaceForensics++": 1, ".txt": 1, "in masks": 1},
    notes=(
        "real c23: of 6 that the lists name are not on disk 3 (003, 567, 591)",
        "real c23: in no list, so in no official split: 1 (343)",
        "real c40: of 6 ",
        "Deepfakes c23: of 6 that the lists name are not on disk 4 (567_606, 591_605, 605_591 ...)",
        "Deepfakes c40: of 6 ",
        "Deepfakes raw: of 6 ",
        "Face2Face c23: of 6 ",
        "FaceShifter c23: of 6 ",
        "FaceSwap c23: of 6 ",
        "NeuralTextures c23: of 6 ",
        "2 (DFD 03__exit_phone_room, FaceForensics++ 003) from which fakes are made are not on disk",
    ),
)

V2 = {"dataset": "Celeb-DF-v2"}
PLUS = {"dataset": "Celeb-DF++"}
celebdf = Miniature(
    rows={
        "Celeb-real/id0_0000.mp4": {"identities": "id0", "split": "train"} | V2,
        "Celeb-real/id16_0001.MP4": {"identities": "id16", "split": "test"} | V2,
        "YouTube-real/00000.mp4": {"identities": "youtube:00000", "split": "test"} | V2,
        "YouTube-real/00001.mp4": {"identities": "youtube:00001", "split": "train"} | V2,
        "Celeb-synthesis/id0_id16_0000.mp4": fake(
            identities="id0+id16", method="Celeb-DF", source="Celeb-real/id0_0000.mp4", split="test", **V2
        ),
        "Celeb-synthesis/id1_id0_0002.mp4": fake(
            identities="id1+id0", method="Celeb-DF", source="absent:Celeb-real/id1_0002", split="train", **V2
        ),
    },
    lists={
        "List_of_testing_videos.txt": "1 Celeb-real/id16_0001.mp4\n1 YouTube-real/00000.mp4\n"
        "0 Celeb-synthesis/id0_id16_0000.mp4\n0 Celeb-synthesis/id9_id8_0000.mp4\n"
    },
    strays=("Celeb-real/notes.txt", "Celeb-synthesis/holiday.mp4"),
    left={".mp4 not of Celeb-DF": 1, ".txt": 1},
    notes=(
        "Celeb-DF-v2: of 4 that List_of_testing_videos.txt names are not on disk 1 (Celeb-synthesis/id9_id8_0000)",
        "1 (Celeb-DF-v2 Celeb-real/id1_0002) from which",
    ),
)
celebdf_plus = Miniature(  # with a level videos/, and the folders of Celeb-DF++
    rows={
        "Celeb-real/videos/id0_0000.mp4": {"identities": "id0", "split": "train"} | PLUS,
        **{
            f"Celeb-synthesis/{scenario}/{method}/videos/id0_id1_0000.mp4": fake(
                identities="id0+id1", method=method, source="Celeb-real/videos/id0_0000.mp4", split=split, **PLUS
            )
            for scenario, method, split in (
                ("FaceSwap", "SimSwap", "test"),
                ("FaceReenact", "DaGAN", "train"),
                ("TalkingFace", "SadTalker", "train"),
            )
        },
    },
    lists={"List_of_testing_videos.txt": "0 Celeb-synthesis/FaceSwap/SimSwap/id0_id1_0000.mp4\n"},
)

DFDC, PREVIEW = {"dataset": "DFDC"}, {"dataset": "DFDC preview"}
PART = {"split": "train", "collection": "dfdc_train_part_0"} | DFDC
dfdc = Miniature(
    rows={
        "dfdc_train_part_0/aaa.mp4": dict(PART),
        "dfdc_train_part_0/bbb.mp4": fake(source="dfdc_train_part_0/aaa.mp4", **PART),
        "dfdc_train_part_0/ccc.MP4": fake(source="absent:dfdc_train_part_0/gone.mp4", **PART),
        "dfdc_train_part_1/aaa.mp4": fake(
            split="train", collection="dfdc_train_part_1", source="absent:dfdc_train_part_1/zzz.mp4", **DFDC
        ),
        "test/videos/xxx.mp4": fake(split="test", **DFDC),
        "test/videos/yyy.mp4": {"split": "test"} | DFDC,
        "validation/vvv.mp4": {"split": "val"} | DFDC,
        "preview/original_videos/1003254/1003254_A_001.mp4": {"identities": "1003254", "split": "train"} | PREVIEW,
        "preview/method_A/1003254/1003254_A/1255229_1003254_A_001.mp4": fake(
            identities="1003254+1255229",
            method="method_A",
            source="preview/original_videos/1003254/1003254_A_001.mp4",
            split="test",
            **PREVIEW,
        ),
        "preview/method_B/1003254/1003254_A/1255229_1003254_A_001.mp4": fake(
            identities="1003254+1255229",
            method="method_B",
            source="preview/original_videos/1003254/1003254_A_001.mp4",
            split="train",
            **PREVIEW,
        ),
    },
    lists={
        "dfdc_train_part_0/metadata.json": json.dumps(
            {
                "aaa.mp4": {"label": "REAL", "split": "train"},
                "bbb.mp4": {"label": "FAKE", "split": "train", "original": "aaa.mp4"},
                "ccc.mp4": {"label": "FAKE", "split": "train", "original": "gone.mp4"},
                "gone.mp4": {"label": "REAL", "split": "train"},
            }
        ),
        "dfdc_train_part_1/metadata.json": json.dumps(
            {"aaa.mp4": {"label": "FAKE", "split": "train", "original": "zzz.mp4"}}
        ),
        "test/labels.csv": "filename,label\nxxx.mp4,1\nyyy.mp4,0\n",
        "validation/labels.csv": "filename,label\nvvv.mp4,0\n",
        "preview/dataset.json": json.dumps(
            {
                "original_videos/1003254/1003254_A_001.mp4": {
                    "label": "real", "set": "train", "target_id": 1003254, "swapped_id": None, "augmentations": [],
                },
                "method_A/1003254/1003254_A/1255229_1003254_A_001.mp4": {
                    "label": "fake", "set": "test", "target_id": "1003254", "swapped_id": "1255229",
                },
                "method_B/1255229_1003254_A_001.mp4": {
                    "label": "fake", "set": "train", "target_id": "1003254", "swapped_id": "1255229",
                },
            }
        ),
    },
    strays=("dfdc_train_part_0/unlisted.mp4", "readme.md"),
    left={".md": 1, ".mp4 not of a list of DFDC": 1},
    notes=(
        "dfdc_train_part_0/metadata.json: of 4 that it names are not on disk 1 (gone.mp4)",
        "2 (DFDC dfdc_train_part_0/gone.mp4, DFDC dfdc_train_part_1/zzz.mp4) from which",
    ),
)  # fmt: skip

DEEPER = {"dataset": "DeeperForensics-1.0"}
deeperforensics = Miniature(
    rows={
        REAL.format("c23", "000.mp4"): {"identities": "000", "split": "test"} | DEEPER | C23,
        REAL.format("c23", "001.mp4"): {"identities": "001", "split": "train"} | DEEPER | C23,
        **{
            f"manipulated_videos/{method}/000_M101.mp4": fake(
                identities="000+M101", method=method, source=REAL.format("c23", "000.mp4"), split="test", **DEEPER
            )
            for method in ("end_to_end", "end_to_end_level_5", "reenact_postprocess")
        },
        "manipulated_videos/end_to_end/001_W004.MP4": fake(
            identities="001+W004", method="end_to_end", source=REAL.format("c23", "001.mp4"), split="train", **DEEPER
        ),
        "manipulated_videos/end_to_end/002_W004.mp4": fake(
            identities="002+W004", method="end_to_end", source="absent:002", **DEEPER
        ),
        "manipulated_videos/end_to_end/606_W004.mp4": fake(
            identities="605+W004", method="end_to_end", source="absent:606", **DEEPER
        ),
    },
    lists={
        "conversion_dict.json": json.dumps(YOUTUBE),
        "lists/splits/train.txt": "001_W004.mp4\n005_W004.mp4\n",
        "lists/splits/val.txt": "",
        "lists/splits/test.txt": "000_M101.mp4\n",
        "lists/manipulated_videos_lists/end_to_end_list.txt": "000_M101.mp4\n",
    },
    strays=(
        "source_videos/M101/BlendShape/camera_front/M101_BlendShape_camera_front.mp4",
        REAL.format("c40", "000.mp4"),
    ),
    left={".mp4 not of DeeperForensics-1.0": 1, ".txt": 1, "reals at another level than c23": 1},
    notes=(
        "of 3 that the lists name are not on disk 1 (005_W004)",
        "2 (DeeperForensics-1.0 002, DeeperForensics-1.0 606) from which",
    ),
)

DF40 = {"dataset": "DF40"}
df40 = Miniature(
    rows={
        "real/FaceForensics++/original_sequences/youtube/c23/frames/000.mkv": {"identities": "000"} | DF40,
        "real/Celeb-DF-v2/Celeb-real/frames/id0_0000.mkv": {"identities": "id0"} | DF40,
        **{
            f"test/{method}/ff/frames/000_003.mkv": fake(
                identities="000+003", method=method, split="test", **DF40,
                source="real/FaceForensics++/original_sequences/youtube/c23/frames/000.mkv",
            )
            for method in ("simswap", "fomm")
        },
        "train/simswap/simswap/ff/frames/003_000.mkv": fake(
            identities="003+000", method="simswap", split="train", source="absent:003", **DF40
        ),
        "train/simswap/simswap/ff/frames/606_870.mkv": fake(
            identities="605+870", method="simswap", split="train", source="absent:606", **DF40
        ),
        "test/danet/cdf/frames/id0_id16_0000.mp4": fake(
            identities="id0+id16", method="danet", split="test", **DF40,
            source="real/Celeb-DF-v2/Celeb-real/frames/id0_0000.mkv",
        ),
        "test/e4e/cdf/Celeb-real/id0_0000.mkv": fake(  # a fake in a folder called as the reals are
            identities="id0", method="e4e", split="test", **DF40,
            source="real/Celeb-DF-v2/Celeb-real/frames/id0_0000.mkv",
        ),
        "DF40_train/simswap/frames/000_870.mkv": fake(
            identities="000+870", method="simswap", split="train", **DF40,
            source="real/FaceForensics++/original_sequences/youtube/c23/frames/000.mkv",
        ),
        "DF40_train/sadtalker/frames/000.mkv": fake(
            identities="000", method="sadtalker", split="train", **DF40,
            source="real/FaceForensics++/original_sequences/youtube/c23/frames/000.mkv",
        ),
        "facedancer_test/facedancer/videos/id0_id16_0000.mp4": fake(
            identities="id0+id16", method="facedancer", split="test", **DF40,
            source="real/Celeb-DF-v2/Celeb-real/frames/id0_0000.mkv",
        ),
        "real/Celeb-DF-v2/YouTube-real/frames/00043.mkv": {"identities": "youtube:00043"} | DF40,
        **{
            f"test/DiT/cdf/{folder}/00043.mkv": fake(
                identities="youtube:00043", method="DiT", split="test", **DF40,
                source="real/Celeb-DF-v2/YouTube-real/frames/00043.mkv",
            )
            for folder in ("YouTube-real", "Fake_from_Youtube-real")
        },
        "test/heygen/heygen_new/fake/Clip 7.MP4": fake(method="heygen", split="test", **DF40),
        "test/heygen/heygen_new/real/Clip 7.mp4": {"split": "test"} | DF40,
        "test/stargan/fake/fake/17.jpg": fake(method="stargan", split="test", **DF40),
    },
    lists={"real/conversion_dict.json": json.dumps(YOUTUBE)},
    strays=(
        "test/simswap/ff/frames/000_003/001.png",
        "real/FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003.mkv",
        "real/Celeb-DF-v2/Celeb-synthesis/videos/id0_id16_0000.mkv",
        "mine/fake/videos/000_003.mkv",
        "mine/clips/videos/000.mkv",
        "notes.txt",
    ),
    left={".mkv not of DF40": 4, ".png not of DF40": 1, ".txt": 1},
    notes=("2 (DF40 003, DF40 606) from which",),
)  # fmt: skip

UADFV = {"dataset": "UADFV"}
uadfv = Miniature(
    rows={
        "real/0000.mp4": {"identities": "0000"} | UADFV,
        "fake/0000_fake.mp4": fake(identities="0000", method="FakeApp", source="real/0000.mp4", **UADFV),
        "fake/0001_fake.MP4": fake(identities="0001", method="FakeApp", source="absent:0001", **UADFV),
    },
    strays=("fake/other.mp4",),
    left={".mp4 not of UADFV": 1},
    notes=("one donor is on all fakes", "1 (UADFV 0001) from which"),
)

AV = {"dataset": "FakeAVCeleb"}
ABOUT = "African/men/id00076"
fakeavceleb = Miniature(
    rows={
        f"RealVideo-RealAudio/{ABOUT}/00109.mp4": {"identities": "id00076"} | AV,
        f"RealVideo-FakeAudio/{ABOUT}/00109_fake.mp4": {
            "identities": "id00076", "source": f"RealVideo-RealAudio/{ABOUT}/00109.mp4"} | AV,
        f"FakeVideo-RealAudio/{ABOUT}/00109_10_id00476_wavtolip.mp4": fake(
            identities="id00076", method="wav2lip", source=f"RealVideo-RealAudio/{ABOUT}/00109.mp4", **AV
        ),
        f"FakeVideo-FakeAudio/{ABOUT}/00109_id00068_A7uFnQw--bY_id00270_wavtol.mp4": fake(
            identities="id00076+id00068+id00270", method="faceswap-wav2lip",
            source=f"RealVideo-RealAudio/{ABOUT}/00109.mp4", **AV,
        ),
        "FakeVideo-FakeAudio/Asian (East)/women/id00056/00028_id02332_wavtolip.mp4": fake(
            identities="id00056+id02332", method="FakeVideo", source="absent:Asian (East)/women/id00056/00028", **AV
        ),
    },
    lists={
        "meta_data.csv": "source,target1,target2,method,category,type,race,gender,path,\n"
        f"id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,FakeAVCeleb/RealVideo-RealAudio/{ABOUT}\n"
        f"id00076,id00476,-,wav2lip,C,FakeVideo-RealAudio,African,men,00109_10_id00476_wavtolip.mp4,FakeAVCeleb\n"
        "id00076,id00068,id00270,faceswap-wav2lip,D,FakeVideo-FakeAudio,African,men,"
        f"00109_id00068_A7uFnQw--bY_id00270_wavtol.mp4,FakeAVCeleb/FakeVideo-FakeAudio/{ABOUT}\n"
    },
    strays=("RealVideo-RealAudio/00109.mp4",),
    left={".mp4 not of FakeAVCeleb": 1},
    notes=("1 (FakeAVCeleb Asian (East)/women/id00056/00028) from which",),
)  # fmt: skip

WEB = {"dataset": "Deepfake-Eval-2024"}
deepfake_eval_2024 = Miniature(
    rows={
        "video-data/a b.mp4": {"split": "train"} | WEB,
        "video-data/b.MOV": fake(split="test", **WEB),
    },
    lists={
        "video-metadata-publish-with-links.csv": "Filename,Video Ground Truth,Audio Ground Truth,Finetuning Set\n"
        "a b.mp4,Real,Fake,Train\nb.MOV,Fake,Real,Test\nc.mp4,Unknown,Fake,Test\ngone.mp4,Fake,Fake,Test\n"
    },
    strays=("video-data/c.mp4", "video-data/unlisted.mp4", "audio-data/x.mp3"),
    left={".mp3": 1, ".mp4 not of the table": 1, "said to be unknown": 1},
    notes=("of 4 that the table names are not on disk 1 (gone.mp4)",),
)

WILD = {"dataset": "WildDeepfake"}
wilddeepfake = Miniature(
    rows={
        "real_train/7/7/real/12.mkv": {"split": "train", "source": "archive:real_train/7"} | WILD,
        "real_train/7/7/real/13.mkv": {"split": "train", "source": "archive:real_train/7"} | WILD,
        "fake_train/7/7/fake/12.mkv": fake(split="train", source="archive:fake_train/7", **WILD),
        "fake test/0/fake/1.MKV": fake(split="test", source="archive:fake_test/0", **WILD),
    },
    strays=("fake_train/8.tar.gz", "other/1.mkv"),
    left={".gz": 1, ".mkv not of WildDeepfake": 1},
)

folders = Miniature(
    rows={"train/real/b.MP4": {"split": "train"}, "test/fake/c.mp4": fake(split="test")},
    strays=("train/real/notes.txt",),
    left={".txt": 1},
)
images = Miniature(rows={"a.png": {}, "fake/b.JPG": fake()}, strays=("c.mp4",), left={".mp4": 1})
manifest = Miniature(
    rows={"a.mp4": {"identities": "ann"}, "b.MP4": fake(identities="ann+bob", source="a.mp4", compression="c40")},
    lists={
        "manifest.csv": "path,label,identities,source,compression\na.mp4,real,ann,,\nb.MP4,fake,ann+bob,a.mp4,c40\n"
    },
    strays=("c.mp4",),
    left={".mp4 not in manifest.csv": 1},
)
several = Miniature(
    rows={
        "mine/real/a.mp4": {"dataset": "mine"},
        "mine/fake/b.mp4": fake(dataset="mine"),
        **{
            f"uadfv/{path}": row
            | ({"source": f"uadfv/{row['source']}"} if row.get("source") == "real/0000.mp4" else {})
            for path, row in uadfv.rows.items()
        },
    },
    lists={"datasets.csv": "folder,layout\nmine,folders\nuadfv,uadfv\n"},
    strays=("uadfv/fake/other.mp4",),
    left={".mp4 not of UADFV": 1},
    notes=("uadfv: one donor is on all fakes", "uadfv: 1 (UADFV 0001) from which"),
)

ALL = {
    name: value for name, value in globals().items() if isinstance(value, Miniature) and not name.startswith("celebdf_")
}
