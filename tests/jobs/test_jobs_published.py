"""Killed between publishing and the last word: the run that is carried on says it, and trains nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest
from small_runs import labelled_texts

import embedtune_nb as et
from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import JobFailedError
from embedtune_nb.jobs.job import Job, submit
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.environment import child_environment
from embedtune_nb.store.job_folder import create

pytestmark = pytest.mark.jobs

SETTINGS = {"adapter": "linear", "epochs": 1, "eval_steps": "off", "early_stopping": False, "batch_size": 16}
# a worker whose process is killed as soon as the model stands in the store
WORKER = """
import os, signal, sys
from embedtune_nb import worker
from embedtune_nb.training import finish

publish = finish.publish

def publish_and_die(*arguments, **options):
    publish(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

finish.publish = publish_and_die
finish.reload_check = lambda *_, **__: {
    "texts": 0, "largest_difference": 0.0, "metric": "accuracy", "score": 0.0
}
worker.main(sys.argv[1:])
"""


def new_job(folder, data, name="late"):
    plan, parts = resolve(resolve_base(str(folder)), data, name=name, hyperparams=SETTINGS, executor="thread")
    return create(name, plan.to_json(), parts.write)


@pytest.fixture(scope="module")
def data():
    return Datasource.from_pandas(labelled_texts())


@pytest.fixture(scope="module")
def home_of_killed(tiny_bert, data, tmp_path_factory):
    """A home in which a worker was killed right after publishing."""
    home = tmp_path_factory.mktemp("killed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(home))
        folder = new_job(tiny_bert, data)
        died = subprocess.run([sys.executable, "-c", WORKER, str(folder.path)], env=child_environment())
    assert died.returncode == -signal.SIGKILL, folder.log
    return home


@pytest.fixture
def killed(home, home_of_killed):
    """The job of that worker, in a home of this test's own."""
    shutil.copytree(home_of_killed, home)
    job = Job.open("late")
    assert job.status == "lost"
    assert (job.folder.path / "checkpoints").is_dir()
    return job


def test_a_run_killed_after_publishing_is_done_when_it_is_carried_on(killed):
    written = et.FinetunedEmbeddingModel.open("late").path.stat().st_mtime_ns
    steps = killed.steps_completed
    model = killed.resume().result()
    assert killed.status == "done"
    assert killed.verdict == model.verdict.to_dict()
    assert killed.steps_completed == steps > 0
    assert model.path.stat().st_mtime_ns == written, "nothing was written again"
    assert not (killed.folder.path / "checkpoints").exists(), "no progress is left behind"


def test_the_same_cell_again_opens_the_model_of_the_killed_run(killed, tiny_bert, data):
    written = et.FinetunedEmbeddingModel.open("late").path.stat().st_mtime_ns
    base = et.PretrainedEmbeddingModel(str(tiny_bert))
    with pytest.warns(UserWarning, match="Opened the model 'late'"):
        again = base.finetune("late", data, hyperparams=SETTINGS, executor="thread", if_exists="open")
    assert again.path.stat().st_mtime_ns == written
    assert killed.status == "done"


def test_a_model_of_another_job_is_told_before_anything_is_trained(home, tiny_bert, data):
    target = home / "models" / "taken"
    target.mkdir(parents=True)
    (target / "embedtune.json").write_text('{"job": "taken-by-another"}')
    job = submit(new_job(tiny_bert, data, "taken"), "thread")
    with pytest.raises(JobFailedError, match="did not make it"):
        job.result()
    feed = job.feed()
    feed.poll()
    assert feed.snapshot.phase == "", "no model was loaded"


def test_damage_since_the_kill_is_told_and_nothing_is_called_done(killed):
    weights = next(et.FinetunedEmbeddingModel.open("late").path.rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(JobFailedError, match="changed since it was published"):
        killed.resume().result()
