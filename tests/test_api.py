# SPDX-License-Identifier: MIT
"""The functions that `import qnn` gives, as help(qnn) shows them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from networks import IMAGE, model_of

import qnn


def test_the_road_in_the_help_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of it, with a short training."""
    pytest.importorskip("unicorn")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^    (\S.*)$", inspect.getdoc(qnn) or "", re.MULTILINE)
    road = "\n".join(lines).replace(
        '"dense 32 relu, dense 10")', '"dense 32 relu, dense 10", qnn.TrainOptions(epochs=3))'
    )
    assert "TrainOptions" in road
    exec(road, {})
    assert (tmp_path / "build" / "digits.h").is_file()


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_text_or_path_objects(tmp_path: Path, kind: type) -> None:
    (tmp_path / "data.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{i * 2.5}\n" for i in range(60)))
    data = qnn.load(kind(tmp_path / "data.csv"), qnn.LoadOptions(label=("y",)))
    model = qnn.train(data, "dense 1", qnn.TrainOptions(epochs=1), kind(tmp_path / "m.qnn")).model
    assert model is not None
    assert qnn.load_model(kind(tmp_path / "m.qnn")).net == model.net
    graph = qnn.quantize(model, qnn.calibrate(model, model.samples), "m")
    qnn.emit(graph, kind(tmp_path / "build"))
    assert qnn.load_graph(kind(tmp_path / "build" / "model.qnn")).name == "m"
    assert qnn.verify(kind(tmp_path / "build"), data.x[data.test], targets=("host",)).ok
    score = qnn.evaluate(graph, data.x[data.test], data.y[data.test] if data.y is not None else None).score
    assert (score.metric, score.targets[0].name) == ("rmse", "y")


@pytest.mark.parametrize("x", [np.zeros((3, 64), np.uint8), np.zeros((3, 8, 8, 1), np.float32)])
def test_calibrate_refuses_samples_of_another_kind(x: np.ndarray) -> None:
    with pytest.raises(qnn.QnnError, match="the model takes uint8 of \\(8, 8, 1\\)"):
        qnn.calibrate(model_of(IMAGE), x)
