"""The kernel may be interrupted, restarted or killed; the job goes on. With a real kernel."""

from __future__ import annotations

import time

import pytest
from jupyter_client.manager import start_new_kernel
from small_runs import LONG

import embedtune_nb as et

pytestmark = pytest.mark.jobs

START = """
import embedtune_nb as et, pandas as pd
df = pd.read_parquet({data!r})
base = et.PretrainedEmbeddingModel({base!r})
job = base.finetune("outlives", df, hyperparams={settings!r}, background=True)
print("JOB", job.id)
"""


@pytest.fixture
def kernel(home):
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def run(client, code, timeout=120):
    """Run *code* in the kernel; return what it printed and the name of its error."""
    printed = []

    def hear(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=timeout, output_hook=hear, store_history=False)
    return "".join(printed), reply["content"].get("ename")


def start(client, labelled, tiny_bert, tmp_path):
    path = tmp_path / "df.parquet"
    labelled.to_parquet(path)
    printed, error = run(client, START.format(data=str(path), base=str(tiny_bert), settings=LONG))
    assert error is None, printed
    return printed.split()[-1]


def wait_for_steps(job, count):
    deadline = time.monotonic() + 120
    while job.steps_completed < count:
        assert time.monotonic() < deadline and job.status in ("queued", "running"), job
        time.sleep(0.05)


def test_a_killed_kernel_leaves_the_job_alive_and_a_new_one_shows_the_whole_curve(
    kernel, labelled, tiny_bert, tmp_path
):
    manager, client = kernel
    job = et.Job.open(start(client, labelled, tiny_bert, tmp_path))
    wait_for_steps(job, 5)
    manager.restart_kernel(now=True)
    client.wait_for_ready(60)
    steps_before = job.steps_completed
    wait_for_steps(job, steps_before + 5)
    printed, error = run(
        client,
        "import embedtune_nb as et; job = et.Job.open('outlives'); curve = job.to_frame(); "
        "print(job.status, int(curve[curve.metric == 'train/loss'].step.min()))",
    )
    assert error is None, printed
    assert printed.split() == ["running", "1"]
    printed, _ = run(client, "job.stop(); job.wait(60); print(job.status)")
    assert printed.split()[-1] == "stopped"


def test_an_interrupted_cell_ends_only_the_waiting(kernel, labelled, tiny_bert, tmp_path):
    manager, client = kernel
    job = et.Job.open(start(client, labelled, tiny_bert, tmp_path))
    wait_for_steps(job, 3)
    waiting = client.execute("job.watch()")
    time.sleep(2)
    manager.interrupt_kernel()
    while True:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"]["msg_id"] == waiting:
            break
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    steps = job.steps_completed
    wait_for_steps(job, steps + 3)
    job.stop()
    assert job.wait(60).status == "stopped"
