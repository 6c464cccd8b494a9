"""Jobs in processes of their own: they outlive whoever started them, and tell the truth about their end."""

from __future__ import annotations

import os
import signal
import time

import pytest
from small_runs import LONG, SHORT

import embedtune_nb as et
from embedtune_nb.errors import JobError, JobFailedError, JobStoppedError
from embedtune_nb.jobs.job import submit
from embedtune_nb.store.job_folder import create

pytestmark = pytest.mark.jobs


def wait_until(happened, seconds=120):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def base(tiny_bert, home):
    return et.PretrainedEmbeddingModel(str(tiny_bert))


def test_stop_keeps_a_checkpoint_and_resume_finishes_the_run(base, labelled):
    job = base.finetune("halted", labelled, hyperparams=LONG, background=True)
    wait_until(lambda: job.steps_completed > 20)
    job.stop()
    job.stop()
    job.wait(60)
    assert job.status == "stopped"
    halted_at = job.steps_completed
    assert halted_at < job.steps_total
    with pytest.raises(JobStoppedError, match="resume"):
        job.result()
    assert et.FinetunedEmbeddingModel.all() == []

    job.resume()
    model = job.result()
    curve = job.to_frame().query("metric == 'train/loss'")["step"]
    assert curve.is_monotonic_increasing, "no step was trained twice"
    assert curve.iloc[-1] == job.steps_total
    assert model.name == "halted"
    job.stop()
    assert job.status == "done", "stopping a finished job changes nothing"
    with pytest.raises(JobError, match="done"):
        job.resume()


def test_a_killed_worker_is_lost_not_running_and_can_be_carried_on(base, labelled):
    job = base.finetune("killed", labelled, hyperparams=LONG, background=True)
    wait_until(lambda: job.steps_completed > 5)
    os.kill(job.folder.worker()["pid"], signal.SIGKILL)
    wait_until(lambda: job.status == "lost", 10)
    assert "killed" in job.reason
    with pytest.raises(JobFailedError, match="lost"):
        job.result()
    assert et.FinetunedEmbeddingModel.all() == [], "no half model is listed"
    again = base.finetune("killed", labelled, hyperparams=LONG, if_exists="open", background=True)
    assert again.id == job.id
    again.stop()
    again.wait(120)


def test_a_failure_carries_its_reason(base, labelled):
    plan = base.plan(labelled, "broken").to_json()
    job = submit(create("broken", plan, lambda data: None), "process")
    job.wait(60)
    assert job.status == "failed"
    with pytest.raises(JobFailedError, match="cannot be read"):
        job.result()
    assert "Traceback" in job.log()


def test_published_model_is_an_ordinary_folder(base, labelled, tmp_path):
    from sentence_transformers import SentenceTransformer

    model = base.finetune("plain", labelled, hyperparams=SHORT)
    plain = SentenceTransformer(str(model.path))
    texts = labelled["text"].tolist()[:20]
    assert abs(plain.encode(texts, normalize_embeddings=True) - model.embed(texts)).max() < 1e-5
    copy = model.save(tmp_path / "copy")
    assert (
        abs(
            SentenceTransformer(str(copy)).encode(texts[:1], normalize_embeddings=True)
            - model.embed(texts[:1])
        ).max()
        < 1e-5
    )
    record = (model.path / "README.md").read_text() + (model.path / "embedtune.json").read_text()
    assert not any(text in record for text in labelled["text"]), "no user text on the card"
    assert model.verdict.queries == model.recipe.data["split"]["counts"]["verdict"]
