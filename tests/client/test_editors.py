"""Editors that people use, set up exactly as docs/src/editors.md says, over a copy of charts/thebot with a value that breaks a template.

An editor that is not here is skipped: `apt install emacs-nox elpa-eglot elpa-yaml-mode`; Neovim from 0.11 on. NVIM and EMACS name others than
those in PATH.
"""

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = pathlib.Path(os.environ.get("THEBOT_LINT", ROOT / "target/debug/thebot-lint")).resolve()


def documented(language, chapter):
    """The first block of code of a chapter."""
    page = (ROOT / "docs/src/editors.md").read_text()
    return re.search(rf"^## {chapter}\n.*?^```{language}\n(.*?)^```", page, re.S | re.M).group(1)


def session(tmp_path, command, setup):
    """What the editor tells, started in a terminal with the program in PATH."""
    chart = pathlib.Path(shutil.copytree(ROOT / "charts/thebot", tmp_path / "thebot"))
    values = chart / "values-prod.yaml"
    values.write_text(values.read_text().replace("minReplicas: 3", "minReplicas: -1", 1))
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "thebot-lint").symlink_to(PROGRAM)
    (tmp_path / "init").write_text(setup)
    told = tmp_path / "told.json"
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm"}
    environment = {**os.environ, **home, "PATH": f"{folder}:{os.environ['PATH']}", "TOLD": str(told)}
    command = command(str(tmp_path / "init"), str(chart / "templates/hpa-backend.yaml"))
    editor, terminal = pty.fork()
    if editor == 0:
        os.chdir(tmp_path)
        os.execvpe(command[0], command, environment)
    os.set_blocking(terminal, False)
    screen, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        try:
            screen += os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:  # It has ended.
            break
    else:
        os.kill(editor, signal.SIGKILL)
    os.waitpid(editor, 0)
    os.close(terminal)
    assert told.exists(), screen.decode(errors="replace")[-3000:]
    found = json.loads(told.read_text())
    assert "failure" not in found, found
    return found


def check(told):
    assert any("-1" in message for message in told["diagnostics"]), told
    assert "values-prod.yaml" in told["hover"] and "`-1`" in told["hover"], told["hover"]
    file, line = told["definition"]
    assert file == "_helpers.tpl" and 'define "thebot.labels"' in line, told["definition"]
    assert 'include "thebot.tags"' in told["renamed"] and "thebot.labels" not in told["renamed"]


def version(program, argument="--version"):
    try:
        said = subprocess.run([program, argument], capture_output=True, text=True).stdout
    except OSError:
        return (0, 0)
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", said).groups()))


def test_neovim(tmp_path):
    nvim = os.environ.get("NVIM", "nvim")
    if version(nvim) < (0, 11):
        pytest.skip(f"{nvim} is no Neovim from 0.11 on (NVIM=… names another)")
    script = ROOT / "tests/client/nvim.lua"

    def command(init, file):
        os.rename(init, init + ".lua")
        return [nvim, "-u", init + ".lua", "-n", file, "-c", f"luafile {script}"]

    told = session(tmp_path, command, documented("lua", "Neovim"))
    check(told)
    assert told["hints"] > 0


def test_emacs(tmp_path):
    emacs = os.environ.get("EMACS", "emacs")
    has = [emacs, "--batch", "--eval", "(progn (package-initialize) (require 'eglot) (require 'yaml-mode))"]
    if version(emacs) < (28, 0) or subprocess.run(has, capture_output=True).returncode != 0:
        pytest.skip(f"{emacs} is no Emacs with eglot and yaml-mode (EMACS=… names another)")
    script = ROOT / "tests/client/emacs.el"

    def command(init, file):
        os.renames(init, tmp_path / ".emacs.d/init.el")
        return [emacs, "-nw", file, "-l", str(script)]

    check(session(tmp_path, command, documented("elisp", "Emacs")))
