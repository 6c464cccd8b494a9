"""Install what the browser tests need, Debian's Chromium and a font, where this machine allows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ["chromium", "fonts-dejavu-core"]


def main() -> int:
    """Return 0 when a browser is there or its absence is allowed."""
    if any(map(shutil.which, NAMES)):
        return 0
    problem = _install()
    if problem is None:
        return 0
    print(f"No Chromium on this machine, and it could not be installed: {problem}")
    if os.environ.get("CI") == "true":
        print("CI=true: the browser tests may not be left out.")
        return 1
    print("The browser tests will be skipped and counted. On Debian or Ubuntu: apt-get install chromium")
    return 0


def _install() -> str | None:
    """Try apt; return why it did not work, None if it did."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if become_root and shutil.which("sudo") is None:
        return "this user is not root and has no sudo"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        print("apt-get", *arguments, flush=True)
        done = subprocess.run(
            [*become_root, "apt-get", "-qq", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode != 0 and arguments[0] == "install":
            return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    return None


if __name__ == "__main__":
    sys.exit(main())
