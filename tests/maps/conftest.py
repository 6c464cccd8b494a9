import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled_code_is_kept(request):
    """UMAP takes half a minute to compile; the folder survives this run of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        if "NUMBA_CACHE_DIR" not in os.environ:
            patch.setenv("NUMBA_CACHE_DIR", str(request.config.cache.mkdir("numba")))
        yield
