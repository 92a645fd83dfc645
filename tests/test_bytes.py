"""bytes: drawing, forging and preparing videos give the same bytes, whatever kernels the processor has."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def kernels() -> dict[str, dict[str, str]]:
    """Environments by name: as this processor is, without AVX-512, and with the least that the libraries run on."""
    features, known = np._core._multiarray_umath.__cpu_features__, np._core._multiarray_umath.__cpu_dispatch__
    numpy = [name for name in known if features[name]]
    narrow = {
        "OPENCV_CPU_DISABLE": "AVX512-SKX",
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in numpy if "512" in name or name == "X86_V4"),
        "OPENBLAS_CORETYPE": "Haswell",
    }
    least = {
        "OPENCV_IPP": "disabled",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,AVX,SSE4.2,SSE4.1",
        "NPY_DISABLE_CPU_FEATURES": " ".join(numpy),
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
        "JSIMD_FORCENONE": "1",  # JPEG
        "ASM": "off",  # see fingerprints
    }
    return {"full": {}, "narrow": narrow, "least": least}


def fingerprints(*parts: str, among: tuple[str, ...] = ("full", "narrow", "least")) -> dict[str, dict[str, str]]:
    """The hashes of the parts in each of these environments, all at once."""
    command = [sys.executable, str(ROOT / "tests/fingerprints.py"), *parts]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    running = {
        name: subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": path} | environment, stdout=subprocess.PIPE, text=True
        )
        for name, environment in kernels().items()
        if name in among
    }
    outputs = {name: process.communicate()[0] for name, process in running.items()}
    assert [process.returncode for process in running.values()] == [0] * len(running)
    return {name: json.loads(text) for name, text in outputs.items()}


def differing(hashes: dict[str, dict[str, str]]) -> list[str]:
    return [
        f"{name}: {what}"
        for name in hashes
        for what in hashes["full"]
        if hashes[name].get(what) != hashes["full"][what]
    ]


def test_every_function_of_pixels_gives_the_same_bytes():
    hashes = fingerprints(
        "drawn", "warped", "forged", "resized", "blended", "altered", "written", among=("full", "least")
    )
    assert differing(hashes) == []
    assert len(hashes["full"]) > 80


@pytest.mark.slow
def test_the_data_stages_write_the_same_bytes():
    hashes = fingerprints("stages")
    assert differing(hashes) == []
    kinds = {Path(name).suffix for name in hashes["full"]}
    assert {".mp4", ".mkv", ".csv", ".parquet", ".json", ".jpg"} <= kinds


def test_opencv_is_imported_in_one_place_that_leaves_it_no_choice():
    users = [
        file
        for file in (ROOT / "deepfake").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "cv2" for alias in node.names)
    ]
    assert [file.relative_to(ROOT).as_posix() for file in users] == ["deepfake/base/opencv.py"]


def test_drawing_uses_no_function_that_is_rounded_differently():
    """Sums, products and roots are exact to the last bit; these are not, and a frame has 65,536 pixels."""
    inexact = {
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "arctan2",
        "hypot",
        "power",
        "cbrt",
        "dot",
        "matmul",
        "einsum",
        "linalg",
    }
    for file in sorted((ROOT / "deepfake/drawing").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
                assert node.attr not in inexact, f"{file.name}:{node.lineno}"
            if isinstance(node, ast.BinOp):
                assert not isinstance(node.op, ast.MatMult), f"{file.name}:{node.lineno}"
                squares = isinstance(node.right, ast.Constant) and node.right.value == 2
                assert not isinstance(node.op, ast.Pow) or squares, f"{file.name}:{node.lineno}"
