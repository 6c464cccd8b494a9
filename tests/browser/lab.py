"""A real JupyterLab in a real Chromium, cut off from everything but this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Cells outside the window must be in the page too, or nothing could be asked about them.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
}
CURRENT = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SECONDS = 1000


def chromium_path() -> str | None:
    """Return a Chromium of this machine, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Server:
    """A JupyterLab server with folders of its own below *work*."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.root = work / "notebooks"
        self.root.mkdir(parents=True)
        self.home = work / "embedtune-home"
        for name, content in SETTINGS.items():
            file = work / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._log = (work / "server.log").open("w")
        self._process = subprocess.Popen(
            self._command(), env=self._environment(), stdout=self._log, stderr=subprocess.STDOUT, cwd=work
        )
        self._await_answer()

    def _command(self) -> list[str]:
        port = self.url.rsplit(":", 1)[1]
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
            *("--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"),
            *(f"--ServerApp.root_dir={self.root}", "--LabApp.expose_app_in_browser=True"),
            *("--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
        ]

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "EMBEDTUNE_HOME": self.home.name,
        }
        environment = dict(os.environ)
        for variable, folder in folders.items():
            (self.work / folder).mkdir(parents=True, exist_ok=True)
            environment[variable] = str(self.work / folder)
        return environment

    def _await_answer(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.request("GET", "/api")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{(self.work / 'server.log').read_text()[-3000:]}")

    def request(self, method: str, path: str) -> Any:
        """Call the server's REST API and return its JSON, or None where it has no content."""
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, method=method), timeout=10
        ) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def end_sessions(self) -> None:
        """Shut down every kernel."""
        for session in self.request("GET", "/api/sessions"):
            self.request("DELETE", f"/api/sessions/{session['id']}")

    def close(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


class Lab:
    """The server and the browser; hands out pages."""

    def __init__(self, work: Path, browser: Any) -> None:
        self.server = Server(work)
        self.browser = browser
        self._count = 0

    def open(
        self,
        cells: Sequence[str] | Path,
        *,
        theme: str = "light",
        width: int = 1200,
        height: int = 1100,
        reduced_motion: bool = False,
    ) -> NotebookPage:
        """Open a notebook (a file, or new from the code of *cells*) in a fresh page with a fresh kernel."""
        self._count += 1
        if isinstance(cells, Path):
            notebook, name = nbformat.read(cells, as_version=4), cells.stem
        else:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
            name = "notebook"
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        path = self.server.root / f"{name}-{self._count}.ipynb"
        nbformat.write(notebook, path)
        motion = "reduce" if reduced_motion else "no-preference"
        page = self.browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion=motion
        )
        return NotebookPage(self, page, path, theme)

    def close(self) -> None:
        """End the server; the browser belongs to the caller."""
        self.server.close()


class NotebookPage:
    """One notebook open in JupyterLab. Every wait ends in a clear timeout.

    Attributes
    ----------
    page
        The Playwright page, for clicks and looks of all kinds.
    outside
        Addresses outside this machine's server that the page asked for; they were blocked.
    console_errors
        What the page wrote to its console as errors.
    """

    def __init__(self, lab: Lab, page: Any, path: Path, theme: str) -> None:
        self.lab, self.page, self.path = lab, page, path
        self.outside: list[str] = []
        self.console_errors: list[str] = []
        page.route("**/*", self._route)
        page.on("console", self._note_error)
        page.on("pageerror", self._note_exception)
        self._theme = theme
        self._enter(theme)

    def _route(self, route: Any) -> None:
        if route.request.url.startswith((self.lab.server.url, "blob:", "data:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def _note_error(self, message: Any) -> None:
        # JupyterLab itself asks for the status of language servers, which it has none of.
        if message.type == "error" and "404" not in message.text:
            self.console_errors.append(message.text[:500])

    def _note_exception(self, error: Any) -> None:
        # Widgets are loaded from blobs. What is thrown in JupyterLab's own scripts alone is told, not failed.
        told = f"{error}\n{error.stack}"
        if "blob:" in (error.stack or "") or not error.stack:
            self.console_errors.append(told)
        else:
            warnings.warn(f"JupyterLab threw: {told[:1500]}", stacklevel=2)

    def _enter(self, theme: str) -> None:
        """Open the notebook; once in a while a kernel's first word is lost, and a user would reload."""
        from playwright.sync_api import TimeoutError as Late

        for patience in (40, 60, 90):
            try:
                return self._load(theme, patience)
            except Late:
                if patience == 90:
                    raise
                warnings.warn(f"no idle kernel after {patience} s, the page is loaded anew", stacklevel=2)
        return None

    def _load(self, theme: str, patience: float) -> None:
        page = self.page
        page.goto(f"{self.lab.server.url}/lab?reset", wait_until="domcontentloaded")
        page.wait_for_function(
            "window.jupyterapp && document.querySelector('#jp-main-dock-panel')", timeout=90 * SECONDS
        )
        page.evaluate("window.jupyterapp.restored")
        self.command("apputils:change-theme", {"theme": f"JupyterLab {theme.capitalize()}"})
        is_light = "true" if theme == "light" else "false"
        page.wait_for_selector(f"body[data-jp-theme-light={is_light}]", state="attached")
        self.command("application:toggle-left-area")
        self.command("docmanager:open", {"path": self.path.name, "factory": "Notebook"})
        page.wait_for_selector(f"{CURRENT} .jp-Cell", timeout=60 * SECONDS)
        self.wait_idle(patience)
        # A first cell that is faster than the widget manager would show its text/plain.
        page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.content.rendermime.mimeTypes"
            ".includes('application/vnd.jupyter.widget-view+json')",
            timeout=60 * SECONDS,
        )

    def reload(self) -> None:
        """Load the page anew, as a user would; the kernel lives on."""
        self._enter(self._theme)

    def restart_kernel(self) -> None:
        """Restart the kernel and wait until it is idle again."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.wait_idle()

    def command(self, name: str, options: dict[str, Any] | None = None) -> None:
        """Run a JupyterLab command and wait for it."""
        self.page.evaluate(
            "([name, options]) => window.jupyterapp.commands.execute(name, options).then(() => true)",
            [name, options or {}],
        )

    def wait_idle(self, seconds: float = 60) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=seconds * SECONDS,
        )

    def run_all(self) -> None:
        """Start all cells and return at once."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def wait_marker(self, marker: str, seconds: float = 120) -> None:
        """Wait until the output of a cell contains *marker*."""
        self.page.wait_for_function(
            "([panel, marker]) => [...document.querySelectorAll(panel + ' .jp-OutputArea-output')]"
            ".some(output => output.textContent.includes(marker))",
            arg=[CURRENT, marker],
            timeout=seconds * SECONDS,
        )

    def run(self, seconds: float = 120) -> None:
        """Run all cells and wait until the last has ended; a cell's traceback is an AssertionError."""
        self.run_all()
        self.wait_cells(seconds)
        self.assert_no_traceback()

    def wait_cells(self, seconds: float = 120) -> None:
        """Wait until every cell has ended; the kernel's status cannot tell, for a click ends in idle too."""
        self.page.wait_for_function(
            "panel => { const prompts = "
            "[...document.querySelectorAll(`${panel} .jp-CodeCell .jp-InputPrompt`)];"
            " return prompts.length > 0 && prompts.every(prompt => /\\[\\d+\\]/.test(prompt.textContent)); }",
            arg=CURRENT,
            timeout=seconds * SECONDS,
        )

    def assert_no_traceback(self) -> None:
        """Fail with the text of the first error output, if there is one."""
        errors = self.page.locator(
            f"{CURRENT} [data-mime-type='application/vnd.jupyter.stderr']"
        ).all_inner_texts()
        assert not any("Traceback" in text for text in errors), "\n".join(errors)

    def cell(self, index: int) -> Any:
        """Return a locator for the cell *index* (0 is the first)."""
        return self.page.locator(f"{CURRENT} .jp-Cell").nth(index)

    def find(self, testid: str) -> Any:
        """Return a locator for the first visible element with this ``data-testid``."""
        return self.page.locator(f"{CURRENT} [data-testid='{testid}']").first

    def execute(self, code: str) -> None:
        """Run code in the notebook's kernel, beside its cells, and wait for the end."""
        self.page.evaluate(
            "code => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
            ".requestExecute({code}).done.then(() => true)",
            code,
        )

    def save(self) -> Any:
        """Save the notebook and return it as read from the disk."""
        self.command("docmanager:save")
        return nbformat.read(self.path, as_version=4)

    def screenshot(self, folder: Path, name: str, testid: str | None = None) -> Path:
        """Save a picture of the page, or of the element *testid*, as ``folder/name.png``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        (self.find(testid) if testid else self.page).screenshot(path=path)
        return path

    def close(self) -> None:
        """Close the page and end its kernel; nothing outside this machine may have been asked for."""
        self.page.close()
        self.lab.server.end_sessions()
        assert self.outside == [], f"the page asked for addresses outside this machine: {self.outside}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
