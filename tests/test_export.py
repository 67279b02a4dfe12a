# SPDX-License-Identifier: MIT
"""Exports: layouts, manifests, and every C and C++ file compiled and run against stand-ins for the ecosystems."""

from __future__ import annotations

import importlib
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
        given = "".join(", ".join(map(str, row.reshape(-1).tolist())) + "\r\n" for row in x[1:])
    printed = [line for line in run_example(folder, kind, example.name, given).splitlines() if not line.endswith("us")]
    assert printed == expected_lines(example, build, x)


ARDUINO_CATEGORIES = (
    *("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage"),
    *("Data Processing", "Other"),
)


def test_arduino_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    """The rules of the Arduino library specification, as arduino-lint (no Python package) looks at them."""
    folder = exported(builds["image"], "arduino", tmp_path, qnn)
    lines = (folder / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    assert len(fields) == len(lines)
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert set(fields) == required | {"includes", "license"}
    assert all(value == value.strip() != "" for value in fields.values())
    assert re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", fields["name"])
    assert not re.match("arduino", fields["name"] + fields["maintainer"], re.IGNORECASE)
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", fields["version"])
    assert fields["category"] in ARDUINO_CATEGORIES
    assert fields["author"] == "A. B."
    assert re.fullmatch(r"https?://\S+", fields["url"])
    assert fields["architectures"] == "*"
    assert fields["paragraph"] != fields["sentence"]
    assert (folder / "src" / fields["includes"]).is_file()
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix in (".exe", ".o")]
    for sketch in folder.rglob("*.ino"):  # where they may be, and under the name of their folder
        assert sketch.parent.parent == folder / "examples"
        assert sketch.stem == sketch.parent.name
    for line in (folder / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL1)", line)
    words = {line.split("\t")[0] for line in (folder / "keywords.txt").read_text().splitlines()}
    header = (folder / "src" / "image.h").read_text()
    assert {"image_classify", "image_probabilities", "image_CLASSES"} < words
    assert all(word in header for word in words)


def test_platformio_manifest(
    builds: dict[str, Path], tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PlatformIO itself reads and validates it; the list of licences, which it would download, is given."""
    parser = pytest.importorskip("platformio.package.manifest.parser")
    schema = importlib.import_module("platformio.package.manifest.schema").ManifestSchema
    licences = {"licenses": [{"licenseId": "0BSD"}]}
    monkeypatch.setattr(schema, "load_spdx_licenses", staticmethod(lambda: licences))
    folder = exported(builds["image"], "platformio", tmp_path, qnn)
    given = json.loads((folder / "library.json").read_text())
    manifest = parser.ManifestParserFactory.new_from_file(str(folder / "library.json")).as_dict()
    assert schema().load_manifest(manifest) == manifest
    assert set(manifest) == set(given)
    with pytest.raises(Exception, match="keywords"):
        schema().load_manifest(manifest | {"keywords": ["Neural Network"]})
    assert (folder / "src" / given["headers"]).is_file()
    for example in given["examples"]:
        assert all((folder / example["base"] / file).is_file() for file in example["files"])


def test_esp_idf_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    """As Espressif's component manager validates it for an upload."""
    manager = pytest.importorskip("idf_component_tools.manager")
    folder = exported(builds["image"], "esp-idf", tmp_path, qnn)
    path = folder / "idf_component.yml"

    def problems() -> list[str]:
        found = manager.ManifestManager(folder, "image", upload_mode=manager.UploadMode.component)
        found.validate()
        return list(found.validation_errors)

    assert problems() == []
    component = (folder / "CMakeLists.txt").read_text()
    assert component.startswith("idf_component_register(")
    assert (folder / re.findall(r'SRCS "([^"]+)"', component)[0]).is_file()
    path.write_text(path.read_text().replace('"1.0.0"', '"one"'))
    assert any("one" in problem for problem in problems())


def test_zephyr_manifest(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    """The keys and types that Zephyr's documentation of module.yml knows, and the files that they name.

    Zephyr's own schema is part of its source tree, of which there is no Python package.
    """
    folder = exported(builds["image"], "zephyr", tmp_path, qnn)
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert set(module) <= {
        "name",
        "build",
        "tests",
        "samples",
        "boards",
        "blobs",
        "runners",
        "security",
        "package-managers",
    }
    assert set(module["build"]) <= {"cmake", "kconfig", "cmake-ext", "kconfig-ext", "depends", "settings"}
    assert module["name"] == "image"
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / module["build"]["kconfig"]).is_file()
    assert isinstance(module["samples"], list)
    assert all((folder / sample / "sample.yaml").is_file() for sample in module["samples"])
    option = re.findall(r"config (\w+)", (folder / "Kconfig").read_text())[0]
    assert f"CONFIG_{option}=y" in (folder / "sample" / "prj.conf").read_text()
    sample = yaml.safe_load((folder / "sample" / "sample.yaml").read_text())
    assert sample["sample"] == {"name": "image"}
    assert all(re.fullmatch(r"[\w.]+\.[\w.]+", name) for name in sample["tests"])


@pytest.mark.parametrize("kind", FORMATS)
def test_each_library_says_what_it_is(kind: str, builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    """README.md names sizes, calls and an example that is there; its call compiles. LICENSE is the repository's."""
    folder = exported(builds["image"], kind, tmp_path, qnn)
    text = (folder / "README.md").read_text()
    manifest = json.loads((builds["image"] / "manifest.json").read_text())
    assert f"{manifest['flash']['total']:,} bytes of flash" in text
    assert f"{manifest['ram']['scratch']:,} bytes of\nscratch memory" in text
    assert (folder / re.findall(r"^(\S+) is a complete program", text, re.MULTILINE)[0]).is_dir()
    include, *lines, statement = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    code = "\n".join((include, *lines, f"void f(void); void f(void) {{ {statement} }}")) + "\n"
    (header,) = folder.rglob("image_model.h")
    subprocess.run((*C, f"-I{header.parent}", "-x", "c", "-fsyntax-only", "-"), input=code, text=True, check=True)
    ours = (Path(__file__).parent.parent / "LICENSE").read_text()
    assert (folder / "LICENSE").read_text() in ours


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
    assert qnn("export", build, "-o", out, "--url", "example.com")[0] == 2
    assert not Path(out).exists()


def test_only_an_export_is_replaced(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    (tmp_path / "CMakeLists.txt").write_text("mine")
    code, _, err = qnn("export", str(builds["image"]), "-o", str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert (tmp_path / "CMakeLists.txt").read_text() == "mine"
    for _ in range(2):
        exported(builds["image"], "cmake", tmp_path / "out", qnn)
