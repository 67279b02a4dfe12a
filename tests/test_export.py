# SPDX-License-Identifier: MIT
"""Exports: layouts, manifests, and every C and C++ file compiled and run against stand-ins for the ecosystems."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from boards import built
from conftest import Run
from networks import BINARY, IMAGE, READINGS, Example, samples_of

from qnn.export.parts import read_model
from qnn.graphfile import load_graph
from qnn.simulator import simulate

STANDINS = Path(__file__).parent / "standins"
FORMATS = ("arduino", "esp-idf", "platformio", "cmake", "zephyr")
MODELS = (IMAGE, READINGS, BINARY)
C = ("gcc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wno-unused-function", "-Werror")
CXX = ("g++", "-std=c++11", "-Wall", "-Wextra", "-Werror")
MAINS = {
    "arduino": "examples/{0}_example/{0}_example.ino",
    "esp-idf": "examples/{0}_example/main/main.c",
    "platformio": "examples/{0}_example/src/main.cpp",
    "cmake": "example/main.c",
    "zephyr": "sample/src/main.c",
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("builds")
    return {example.name: built(example, folder / example.name) for example in MODELS}


def exported(build: Path, kind: str, folder: Path, qnn: Run) -> Path:
    code, out, err = qnn("export", str(build), "--format", kind, "-o", str(folder), "--author", "A. B.", "--json")
    assert (code, err) == (0, "")
    assert all(Path(name).is_file() for name in json.loads(out)["files"])
    return folder


def run_example(folder: Path, kind: str, name: str, given: str = "") -> str:
    """What the export's example prints, compiled with stand-ins."""
    for tool in ("gcc", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: this test did not run")
    (model,) = folder.rglob(f"{name}_model.c")
    main = folder / MAINS[kind].format(name)
    include = (f"-I{STANDINS}", f"-I{model.parent}")
    compile_model = (*C, *include, "-c", str(model), "-o", str(folder / "model.o"))
    subprocess.run(compile_model, check=True)
    language = ("-x", "c++") if main.suffix == ".ino" else ()
    command = (*(C if main.suffix == ".c" else CXX), *include, *language, "-c", str(main), "-o", str(folder / "main.o"))
    subprocess.run(command, check=True)
    program = folder / "program"
    subprocess.run(("g++", str(folder / "main.o"), str(folder / "model.o"), "-o", str(program)), check=True)
    return subprocess.run((program,), input=given, capture_output=True, text=True, check=True).stdout


def expected_lines(example: Example, build: Path, x: np.ndarray) -> list[str]:
    graph = load_graph(build / "model.qnn")
    found = simulate(graph, x)
    lines: list[str] = []
    for row in range(len(x)):
        shown = next(found[name] for name in ("probabilities", "value", graph.output) if name in found)
        lines += [f"{i}: {value}" for i, value in enumerate(shown[row].reshape(-1).tolist())]
        if "class" in found:
            lines.append(f"class {int(found['class'][row].reshape(-1)[0])}")
    return lines


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("example", MODELS, ids=lambda example: example.name)
def test_examples_compute_what_the_simulator_says(
    example: Example, kind: str, builds: dict[str, Path], tmp_path: Path, qnn: Run
) -> None:
    build = builds[example.name]
    folder = exported(build, kind, tmp_path / "out", qnn)
    graph = load_graph(build / "model.qnn")
    numbers = read_model(build).sample.replace("\n", " ").split(",")
    x = np.array([int(number) for number in numbers], graph.input.dtype).reshape(1, *graph.input.shape)
    assert x.any()
    given = ""
    if kind in ("arduino", "platformio"):
        x = np.concatenate([x, samples_of(example, 2, 8)])
        given = "".join(" ".join(map(str, row.reshape(-1).tolist())) + "\n" for row in x[1:])
    printed = [line for line in run_example(folder, kind, example.name, given).splitlines() if not line.endswith("us")]
    assert printed == expected_lines(example, build, x)


def test_arduino_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    """The fields that the Arduino library specification requires; keywords.txt with tabs."""
    folder = exported(builds["image"], "arduino", tmp_path, qnn)
    lines = (folder / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert required <= set(fields)
    assert all(fields.values())
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    assert fields["category"] == "Data Processing"
    assert fields["author"] == "A. B."
    assert (folder / "src" / fields["includes"]).is_file()
    for line in (folder / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL1)", line)
    words = {line.split("\t")[0] for line in (folder / "keywords.txt").read_text().splitlines()}
    header = (folder / "src" / "image.h").read_text()
    assert all(word in header for word in words)


def test_platformio_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    folder = exported(builds["image"], "platformio", tmp_path, qnn)
    manifest = json.loads((folder / "library.json").read_text())
    assert set(manifest) >= {"name", "version", "description", "keywords", "authors", "license", "headers"}
    assert isinstance(manifest["keywords"], list)
    assert (folder / "src" / manifest["headers"]).is_file()
    for example in manifest["examples"]:
        assert all((folder / example["base"] / file).is_file() for file in example["files"])


def test_esp_idf_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    folder = exported(builds["image"], "esp-idf", tmp_path, qnn)
    manifest = yaml.safe_load((folder / "idf_component.yml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert set(manifest) <= {"version", "description", "url", "license", "dependencies", "maintainers", "tags"}
    assert manifest["dependencies"] == {"idf": ">=5.0"}
    component = (folder / "CMakeLists.txt").read_text()
    assert component.startswith("idf_component_register(")
    assert (folder / re.findall(r'SRCS "([^"]+)"', component)[0]).is_file()


def test_zephyr_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    folder = exported(builds["image"], "zephyr", tmp_path, qnn)
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert module["name"] == "image"
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / module["build"]["kconfig"]).is_file()
    assert all((folder / sample).is_dir() for sample in module["samples"])
    option = re.findall(r"config (\w+)", (folder / "Kconfig").read_text())[0]
    assert f"CONFIG_{option}=y" in (folder / "sample" / "prj.conf").read_text()
    assert "tests" in yaml.safe_load((folder / "sample" / "sample.yaml").read_text())


def test_cmake_builds(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    folder = exported(builds["image"], "cmake", tmp_path / "out", qnn)
    assert "add_library(image INTERFACE)" in (folder / "CMakeLists.txt").read_text()
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed: this test did not run")
    target = tmp_path / "cmake"
    subprocess.run(("cmake", "-S", folder, "-B", target), check=True, capture_output=True)
    subprocess.run(("cmake", "--build", target), check=True, capture_output=True)
    done = subprocess.run((target / "image_example",), check=True, capture_output=True, text=True)
    assert "class " in done.stdout


def test_bad_requests(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    build, out = str(builds["image"]), str(tmp_path / "x")
    assert qnn("export", build, "--format", "mbed", "-o", out)[0] == 2
    assert qnn("export", str(tmp_path), "-o", out)[0] == 2
    assert qnn("export", build, "-o", out, "--author", 'a"b')[0] == 2
    assert qnn("export", build, "-o", out, "--url", "a\nb")[0] == 2
    assert not Path(out).exists()


def test_only_an_export_is_replaced(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    (tmp_path / "CMakeLists.txt").write_text("mine")
    code, _, err = qnn("export", str(builds["image"]), "-o", str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert (tmp_path / "CMakeLists.txt").read_text() == "mine"
    for _ in range(2):
        exported(builds["image"], "cmake", tmp_path / "out", qnn)
