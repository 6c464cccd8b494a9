"""What a child process is told about where things are."""

from embedtune_nb.store.environment import child_environment


def test_a_child_gets_the_home_folder_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBEDTUNE_HOME", "beside the notebook")
    assert child_environment()["EMBEDTUNE_HOME"] == str(tmp_path / "beside the notebook")
