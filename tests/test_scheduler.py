# SPDX-License-Identifier: MIT
"""A report's jobs on a Dask cluster: every row is there although a worker is lost; another qnn is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chores import Job
from conftest import Run

from qnn.errors import QnnError
from qnn.report.job import Task
from qnn.report.remote import Cluster, _Jobs, _outcome, answer, check_cluster, run_on
from qnn.report.running import Runner
from qnn.report.store import Store
from qnn.report.tools import tools_here

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # what distributed and tornado say of themselves


class Heard:
    """A Watcher that counts what is done."""

    def __init__(self) -> None:
        self.done = 0

    def spared(self, index: int) -> None: ...

    def started(self, index: int) -> None: ...

    def moved(self, index: int, done: int, total: int, text: str) -> None: ...

    def ended(self, index: int, final: bool) -> None:
        self.done += final


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


def test_a_lost_workers_jobs_are_run_again(cluster: Any, tmp_path: Path) -> None:
    """Each job notes the process that runs it; one of these is killed while jobs wait and run."""
    checked = check_cluster(Cluster(cluster.scheduler_address), tools_here())
    assert checked.tools == tools_here()
    runner = Runner(Store(tmp_path / "r.work"), checked.tools, 1, checked)
    tasks = [Task(Job(number, str(tmp_path / "runs"), seconds=0.4), b"model") for number in (*range(8), -1)]
    killer = threading.Thread(target=kill_first, args=(tmp_path / "runs",), daemon=True)
    killer.start()
    watcher = Heard()
    found = runner.run(tasks, watcher)
    killer.join()
    assert [done.result for done in found[:8]] == [{"number": number, "bytes": 5} for number in range(8)]
    assert found[8].problem == "job: is below 0; use another"
    assert watcher.done == 9
    runs = [int(line.split()[0]) for line in (tmp_path / "runs").read_text().splitlines()]
    assert len(runs) > 9, "the job of the lost worker ran twice"
    assert [done.kept for done in runner.run(tasks, Heard())] == [True] * 8 + [False]


def kill_first(runs: Path) -> None:
    """Kill the process of the first job as soon as it runs."""
    while not runs.exists() or not runs.read_text().endswith("\n"):
        time.sleep(0.01)
    os.kill(int(runs.read_text().splitlines()[0].split()[1]), signal.SIGKILL)


def test_a_report_by_a_cluster(cluster: Any, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model travels with its jobs; what comes back is what this machine alone gives."""
    monkeypatch.chdir(tmp_path)
    assert qnn("train", "digits", "--net", "dense 4 relu, dense", "--epochs", "1", "-o", "m.qnn", "-q")[0] == 0
    assert qnn("report", "m.qnn", "-o", "r", "-q", "--scheduler", cluster.scheduler_address)[0] == 0
    assert qnn("report", "m.qnn", "-o", "s", "-q")[0] == 0
    far, near = (json.loads(Path(name).read_text()) for name in ("r.json", "s.json"))
    assert far.pop("command") != near.pop("command")
    assert far == near


def test_another_qnn_is_refused(cluster: Any) -> None:
    here = replace(tools_here(), source="f" * 64)
    with pytest.raises(QnnError, match=r"another qnn \(0\.1\.0, source [0-9a-f]{12}; here 0\.1\.0, source f{12}\)"):
        check_cluster(Cluster(cluster.scheduler_address), here)
    late = answer(Task(Job(1, "unused")), (here,))
    assert (late.result, late.misfit) == (None, True)


def test_a_late_worker_with_another_compiler_does_no_job(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers would be kept under the names of the first workers' compilers: these do its jobs instead."""
    monkeypatch.setattr("qnn.report.remote.POLL", 0.02)
    checked = check_cluster(Cluster(cluster.scheduler_address), tools_here())
    words = ("-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--nthreads", "1", "--no-nanny")
    environment = {
        **os.environ,
        "CC": f"{checked.tools.host_compiler.split()[0]} -fno-inline",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    late = subprocess.Popen([sys.executable, *words, "--no-dashboard"], env=environment, stderr=subprocess.DEVNULL)
    try:
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=30)
            assert len(set(client.run(tools_here).values())) == 2
        runs, refused = tmp_path / "runs", noted(monkeypatch)
        tasks = [Task(Job(number, str(runs), seconds=0.1), b"model") for number in range(6)]
        found = {outcome.index: outcome for outcome in run_on(checked, tasks, Heard())}
        assert [found[number].result for number in range(6)] == [{"number": n, "bytes": 5} for n in range(6)]
        assert late.pid not in {int(line.split()[1]) for line in runs.read_text().splitlines()}
        assert refused, "it was asked"
    finally:
        late.kill()
        late.wait()


def noted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The places of the tasks that were refused, as that happens."""
    refused: list[int] = []

    def outcome(index: int, future: Any, fits: bool) -> Any:
        found = _outcome(index, future, fits)
        if found is None:
            refused.append(index)
        return found

    monkeypatch.setattr("qnn.report.remote._outcome", outcome)
    return refused


@pytest.mark.parametrize("error", [ImportError("no qnn"), TypeError("answer() got 'known'"), AttributeError("answer")])
def test_a_late_worker_that_cannot_load_this_qnn_does_no_job(error: Exception) -> None:
    """Once its job is for workers that fit, the same error is the job's."""
    broken = SimpleNamespace(result=raising(error))
    assert _outcome(0, broken, fits=False) is None
    found = _outcome(0, broken, fits=True)
    assert found is not None
    assert found.problem == f"{type(error).__name__}: {error}"
    lost = _outcome(0, SimpleNamespace(result=raising(RuntimeError("lost thrice"))), fits=False)
    assert lost is not None
    assert lost.problem == "RuntimeError: lost thrice"


def raising(error: Exception) -> Callable[[], Any]:
    def result() -> Any:
        raise error

    return result


def test_what_fails_in_a_job_is_of_the_job(tmp_path: Path) -> None:
    found = answer(Task(Job(0, str(tmp_path / "no" / "folder"))), (tools_here(),))
    assert (found.misfit, found.problem.split(":")[0]) == (False, "FileNotFoundError")


def test_only_workers_with_other_tools_are_left(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.remote.POLL", 0.02)
    monkeypatch.setattr("qnn.report.remote.ALONE", 0.3)
    checked = Cluster(cluster.scheduler_address, (replace(tools_here(), rv32_compiler="gcc 99"),))
    watcher = Heard()
    (found,) = run_on(checked, [Task(Job(0, str(tmp_path / "runs")))], watcher)
    assert found.problem == "the cluster has had no worker with the tools of its first ones for 0 seconds"
    assert watcher.done == 1


def test_reserved_jobs_of_lost_workers_are_given_to_others(cluster: Any, tmp_path: Path) -> None:
    """As if their workers were gone: the scheduler alone would wait for these for ever."""
    checked = check_cluster(Cluster(cluster.scheduler_address), tools_here())
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        jobs = _Jobs(client, checked, [Task(Job(0, str(tmp_path / "runs"), seconds=0.2))])
        (future,) = jobs.futures
        jobs.reserved[future] = {"tcp://127.0.0.1:9"}
        assert jobs.dealt()
        assert future not in jobs.futures
        assert jobs.open == [0]
        waited = time.monotonic()
        while not (found := list(jobs.done())):
            assert jobs.dealt()
            assert time.monotonic() - waited < 60
        assert found[0].result == {"number": 0, "bytes": 0}


def test_no_scheduler_no_worker_no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.remote.TIMEOUT", 0.5)
    with pytest.raises(QnnError, match="no Dask scheduler answers there"):
        check_cluster(Cluster("tcp://127.0.0.1:9"), tools_here())
    with pytest.raises(QnnError, match="no Dask scheduler answers there"):
        check_cluster(Cluster("nonsense://127.0.0.1:9"), tools_here())
    for text in ("", "foo", "nonsense://"):
        with pytest.raises(QnnError, match="is no address; give one such as tcp://"):
            check_cluster(Cluster(text), tools_here())
    monkeypatch.setattr("qnn.report.remote.POLL", 0.1)
    monkeypatch.setattr("qnn.report.remote.ALONE", 0.3)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty:
        with pytest.raises(QnnError, match="has no workers"):
            check_cluster(Cluster(empty.scheduler_address), tools_here())
        nobody = Cluster(empty.scheduler_address, (tools_here(),))
        watcher, tasks = Heard(), [Task(Job(number, "nowhere")) for number in range(2)]
        found = list(run_on(nobody, tasks, watcher))
    assert [(one.index, one.problem.startswith("the cluster has had no worker")) for one in found] == [
        (0, True),
        (1, True),
    ]
    assert watcher.done == 2
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(QnnError, match=r"pip install 'qnn\[dask\]'"):
        check_cluster(Cluster("tcp://127.0.0.1:9"), tools_here())
