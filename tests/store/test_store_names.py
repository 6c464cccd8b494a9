"""Names that could leave the home folder or collide are refused before anything is written."""

import pytest

from embedtune_nb.errors import NameRefusedError
from embedtune_nb.store.names import check_name, named_folder


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "",
        " ",
        "CON",
        "con.txt",
        "nul",
        "x" * 101,
        "x" * 300,
        "\N{PARTY POPPER}",
        "ends.",
        ".hidden",
        "-flag",
        "a\nb",
        "a\x00b",
        None,
        3,
    ],
)
def test_hostile_names_are_refused_with_the_rule(name):
    with pytest.raises(NameRefusedError, match="letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["api-docs", "a", "Model_1.5", "x" * 100])
def test_ordinary_names_pass_unchanged(name):
    assert check_name(name) == name


def test_a_refused_name_comes_with_one_that_works():
    with pytest.raises(NameRefusedError) as refusal:
        check_name("my model (v2)")
    assert "my-model-v2" in str(refusal.value)


def test_names_are_unique_regardless_of_case(tmp_path):
    (tmp_path / "Api-Docs").mkdir()
    assert named_folder(tmp_path, "api-docs").name == "Api-Docs"


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    outside, models = tmp_path / "outside", tmp_path / "models"
    outside.mkdir()
    models.mkdir()
    (models / "x").symlink_to(outside)
    with pytest.raises(NameRefusedError, match="link"):
        named_folder(models, "x")
