# SPDX-License-Identifier: MIT
"""The files of each export, as text by path."""

from __future__ import annotations

import json

from qnn.export.parts import (
    LICENCE,
    VERSION,
    Files,
    Model,
    about,
    has_class,
    sources,
)
from qnn.export.programs import main_c, sketch, wifi_page, wifi_sketch
from qnn.graph import CLASS, PROBABILITIES, VALUE
from qnn.page.document import drawable
from qnn.page.onchip import chip_page

WIFI = (
    "examples/{name}_wifi serves a drawing page from an ESP32 over WiFi. It was compiled against stand-ins for the\n"
    "Arduino core and run on a PC; it has not run on a chip yet.\n\n"
)


def arduino(model: Model) -> Files:
    """An Arduino library: library.properties, keywords.txt, src/, examples/."""
    name = model.name
    properties = (
        f"name={name}\nversion={VERSION}\nauthor={model.author}\nmaintainer={model.author}\n"
        f"sentence={model.sentence}\nparagraph={model.identity}\ncategory=Data Processing\nurl={model.url}\n"
        f"architectures=*\nincludes={name}_model.h\nlicense={LICENCE}\n"
    )
    heads = {CLASS: "classify", PROBABILITIES: "probabilities", VALUE: "value"}
    functions = ("run", "run_q", *(heads[node.name] for node in model.graph.heads))
    constants = ("INPUTS", "OUTPUTS", *(("CLASSES",) if has_class(model) else ()), "SCRATCH_BYTES")
    keywords = "".join(f"{name}_{word}\tKEYWORD2\n" for word in functions)
    keywords += "".join(f"{name}_{word}\tLITERAL1\n" for word in constants)
    return (
        *about(model, f"examples/{name}_example", WIFI if drawable(model.graph) else ""),
        ("library.properties", properties.encode()),
        ("keywords.txt", keywords.encode()),
        *sources(model, "src"),
        (f"examples/{name}_example/{name}_example.ino", sketch(model).encode()),
        *_wifi(model),
    )


def _wifi(model: Model) -> Files:
    """Of a model that takes pictures, a second example: a drawing page from the chip itself."""
    if not drawable(model.graph):
        return ()
    folder = f"examples/{model.name}_wifi"
    return (
        (f"{folder}/{model.name}_wifi.ino", wifi_sketch(model).encode()),
        (f"{folder}/page.h", wifi_page(chip_page(model.graph)).encode("ascii")),
    )


def platformio(model: Model) -> Files:
    """A PlatformIO library: library.json, src/, examples/."""
    name = model.name
    manifest = {
        "name": name,
        "version": VERSION,
        "description": model.sentence,
        "keywords": ["neural network", "quantized", "qnn"],
        "repository": {"type": "git", "url": model.url},
        "authors": [{"name": model.author, "maintainer": True}],
        "license": LICENCE,
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{name}_model.h",
        "examples": [{"name": name, "base": f"examples/{name}_example", "files": ["src/main.cpp"]}],
    }
    settings = (
        "[env:esp32-c3]\nplatform = espressif32\nboard = esp32-c3-devkitm-1\nframework = arduino\n"
        "monitor_speed = 115200\nlib_extra_dirs = ../../..\n"
    )
    example = f"examples/{name}_example"
    return (
        *about(model, example),
        ("library.json", (json.dumps(manifest, indent=2) + "\n").encode()),
        *sources(model, "src"),
        (f"{example}/platformio.ini", settings.encode()),
        (f"{example}/src/main.cpp", sketch(model).encode()),
    )


def esp_idf(model: Model) -> Files:
    """An ESP-IDF component: idf_component.yml, CMakeLists.txt, and a project under examples/."""
    name = model.name
    manifest = (
        f'version: "{VERSION}"\ndescription: "{model.sentence}"\nurl: "{model.url}"\nlicense: "{LICENCE}"\n'
        'dependencies:\n  idf: ">=5.0"\n'
    )
    component = f'idf_component_register(SRCS "{name}_model.c" INCLUDE_DIRS ".")\n'
    project = (
        "cmake_minimum_required(VERSION 3.16)\n"
        'set(EXTRA_COMPONENT_DIRS "${CMAKE_CURRENT_LIST_DIR}/../..")\n'
        f"include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)\nproject({name}_example)\n"
    )
    main = 'idf_component_register(SRCS "main.c")\n'  # without REQUIRES main sees every component
    code = main_c(
        model,
        ("<inttypes.h>", "<stdio.h>", '"esp_timer.h"'),
        "void app_main(void)",
        "int64_t start = esp_timer_get_time();",
        'printf("%" PRId64 " us\\n", esp_timer_get_time() - start);',
        "printf",
        "",
    )
    example = f"examples/{name}_example"
    return (
        *about(model, example),
        ("idf_component.yml", manifest.encode()),
        ("CMakeLists.txt", component.encode()),
        *sources(model, ""),
        (f"{example}/CMakeLists.txt", project.encode()),
        (f"{example}/main/CMakeLists.txt", main.encode()),
        (f"{example}/main/main.c", code.encode()),
    )


def cmake(model: Model) -> Files:
    """A CMake package: an INTERFACE target, and an example program."""
    name = model.name
    text = f"""\
cmake_minimum_required(VERSION 3.13)
project({name} VERSION {VERSION} LANGUAGES C)

add_library({name} INTERFACE)
target_include_directories({name} INTERFACE "${{CMAKE_CURRENT_LIST_DIR}}/include")
target_sources({name} INTERFACE "${{CMAKE_CURRENT_LIST_DIR}}/include/{name}_model.c")

if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  add_executable({name}_example example/main.c)
  target_link_libraries({name}_example PRIVATE {name})
endif()
"""
    code = main_c(
        model,
        ("<stdio.h>", "<time.h>"),
        "int main(void)",
        "clock_t start = clock();",
        'printf("%ld us\\n", (long)((int64_t)(clock() - start) * 1000000 / CLOCKS_PER_SEC));',
        "printf",
        "    return 0;\n",
    )
    return (
        *about(model, "example"),
        ("CMakeLists.txt", text.encode()),
        *sources(model, "include"),
        ("example/main.c", code.encode()),
    )


def zephyr(model: Model) -> Files:
    """A Zephyr module: zephyr/module.yml, CMakeLists.txt, Kconfig, and a sample."""
    name = model.name
    option = f"QNN_{name.upper()}"
    module = f"name: {name}\nbuild:\n  cmake: .\n  kconfig: Kconfig\nsamples:\n  - sample\n"
    build = (
        f"if(CONFIG_{option})\n  zephyr_library_named({name})\n  zephyr_include_directories(src)\n"
        f"  zephyr_library_sources(src/{name}_model.c)\nendif()\n"
    )
    kconfig = f'config {option}\n\tbool "{model.sentence}"\n'
    project = (
        "cmake_minimum_required(VERSION 3.20.0)\n"
        'list(APPEND EXTRA_ZEPHYR_MODULES "${CMAKE_CURRENT_SOURCE_DIR}/..")\n'
        f"find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})\nproject({name}_sample)\n"
        "target_sources(app PRIVATE src/main.c)\n"
    )
    code = main_c(
        model,
        ("<zephyr/kernel.h>", "<zephyr/sys/printk.h>"),
        "int main(void)",
        "uint32_t start = k_cycle_get_32();",
        'printk("%u us\\n", (unsigned)k_cyc_to_us_floor32(k_cycle_get_32() - start));',
        "printk",
        "    return 0;\n",
    )
    sample = f"sample:\n  name: {name}\ntests:\n  sample.qnn.{name}:\n    build_only: true\n    tags: qnn\n"
    return (
        *about(model, "sample"),
        ("zephyr/module.yml", module.encode()),
        ("CMakeLists.txt", build.encode()),
        ("Kconfig", kconfig.encode()),
        *sources(model, "src"),
        ("sample/CMakeLists.txt", project.encode()),
        ("sample/prj.conf", f"CONFIG_{option}=y\nCONFIG_PRINTK=y\n".encode()),
        ("sample/sample.yaml", sample.encode()),
        ("sample/src/main.c", code.encode()),
    )
