"""The README and the pages in docs/ are executed: what a newcomer pastes works, in this order, in one shell.

The mapping from what is written to what is run here:
- `cargo run --release -- up` is the shared server, which `conftest.py` started from the binary that was built.
- `cargo xtask test` is not run: this test is a part of it.
- `cargo build … functions/rust` is run only if the program is not built yet.
- 127.0.0.1:4566 is the address of that server, which has a port of its own.
- `aws` is a program that adds `--endpoint-url`, for versions that do not read `AWS_ENDPOINT_URL`. Where there is only
  version 1, the page's advice for it is followed: no `--cli-binary-format`, and `hearth logs` for `aws logs tail`.
- An output block after a command block is compared as JSON with the last line that the commands printed.
- A page's blocks of other languages are run by their interpreter, or parsed where running needs more than Hearth.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import BINARY, HERE

ROOT = HERE.parents[1]
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULES = Path(os.environ.get("HEARTH_TEST_NODE_MODULES", ROOT / "target" / "test-env" / "node" / "node_modules"))
AWS_2 = os.environ.get("HEARTH_TEST_AWS_DEBIAN") or "/usr/bin/aws"
AWS_1 = os.environ.get("HEARTH_TEST_AWS_PYPI") or shutil.which("aws")
IS_AWS_2 = os.path.exists(AWS_2)
RUST = "target/test-env/rust/release/bootstrap"
ELSEWHERE = ("cargo run --release -- up", "cargo xtask test")
MARK = "--- end of block"


def blocks(page):
    text = (ROOT / page).read_text()
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def here(script):
    """What to run in place of a block that is written for the root of a checkout."""
    lines = [line for line in script.splitlines() if not line.startswith(ELSEWHERE)]
    if (ROOT / RUST).exists():
        lines = [line for line in lines if not line.startswith("cargo build")]
    script = "\n".join(lines)
    if not IS_AWS_2:
        script = script.replace("--cli-binary-format raw-in-base64-out", "")
        script = script.replace("aws logs tail", "hearth logs")
    return script


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_works(start, tmp_path, page):
    if not (IS_AWS_2 or AWS_1) or not shutil.which("node") or not MODULES.is_dir():
        pytest.skip("the clients that the README names are not installed; cargo xtask test does it")
    server = start()
    shell = Shell(server, tmp_path)
    try:
        printed = ""
        for language, text in blocks(page):
            text = text.replace("127.0.0.1:4566", f"127.0.0.1:{server.port}")
            if language == "sh":
                printed = shell.run(here(text))
            elif language == "json":
                assert json.loads(printed.splitlines()[-1]) == json.loads(text)
            elif language == "python":
                (tmp_path / "example.py").write_text(text)
                assert "Hello, Sam!" in shell.run(f"{sys.executable} example.py")
            elif language == "js":
                (tmp_path / "node_modules").symlink_to(MODULES)
                (tmp_path / "example.mjs").write_text(text)
                assert "Hello, Sam!" in shell.run("node example.mjs")
            elif language == "toml":
                check_configuration(tmp_path, tomllib.loads(text), text)
            else:
                assert language in ("hcl", ""), f"{page} has a block of {language!r}, which no test executes"
    finally:
        shell.end()


class Shell:
    """One bash for a whole page, so that what is exported stays exported."""

    def __init__(self, server, directory):
        programs = directory / "programs"
        programs.mkdir()
        program(programs / "aws", f'exec {AWS_2 if IS_AWS_2 else AWS_1} --endpoint-url "$AWS_ENDPOINT_URL" "$@"')
        program(programs / "hearth", f'exec {BINARY} "$@"')
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        (directory / "target").symlink_to(ROOT / "target")
        (directory / "tests").symlink_to(ROOT / "tests")
        environment = server.cli_environment(PATH=path)
        # The page itself says what to export; only docs/ assume that it was done.
        self.process = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script):
        self.process.stdin.write(f"{script}\necho; echo '{MARK}'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(MARK):
                return "".join(lines).rstrip("\n")
            lines.append(line)
        raise AssertionError(f"this failed:\n{script}\n\nit printed:\n{''.join(lines)}")

    def end(self):
        self.process.kill()
        self.process.wait()


def program(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def check_configuration(directory, settings, text):
    """The file is understood as far as it can be without its addresses: a contradiction ends the start after it was read."""
    assert settings
    # Not loopback and not signed: refused, but only after every line was understood.
    changed = re.sub(r"^listen = .*$", 'listen = "192.0.2.1:1"', text, flags=re.MULTILINE)
    changed = re.sub(r"^auth = .*$", "auth = false", changed, flags=re.MULTILINE)
    changed = re.sub(r"^root-.*\n", "", changed, flags=re.MULTILINE)
    changed = re.sub(r'^(data-dir|cache-dir) = .*$', rf'\1 = "{directory}/\1"', changed, flags=re.MULTILINE)
    changed = re.sub(r"^hot-reload = .*$", f'hot-reload = ["{directory}"]', changed, flags=re.MULTILINE)
    (directory / "config.toml").write_text(changed)
    done = subprocess.run(
        [BINARY, "up", "--config", str(directory / "config.toml")], capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0 and "refusing to listen on 192.0.2.1:1" in done.stderr, done.stderr


def documented():
    """Flag and variable of each row of the configuration page's table."""
    rows = re.findall(r"^\| (.+?) \| `(HEARTH_\w+)` \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)
    flags = {match[1] for flag, _ in rows if (match := re.match(r"`(--[\w-]+)", flag))}
    return flags, {variable for _, variable in rows}


def test_every_setting_is_documented_and_every_documented_one_exists():
    shown = subprocess.run([BINARY, "up", "--help"], capture_output=True, text=True, timeout=30).stdout
    flags = set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", shown, re.MULTILINE)) - {"--help"}
    variables = set(re.findall(r"\[env: (HEARTH_\w+)", shown))
    in_page, variables_in_page = documented()
    assert in_page == flags
    # The secret key has no flag, on purpose.
    assert variables_in_page == variables | {"HEARTH_ROOT_SECRET_ACCESS_KEY"}


def test_the_example_file_has_every_setting():
    example = next(tomllib.loads(text) for language, text in blocks("docs/configuration.md") if language == "toml")
    flags = {flag.removeprefix("--") for flag in documented()[0]} - {"config"}
    assert set(example) == flags | {"root-secret-access-key"}


def test_links_lead_somewhere():
    for page in [*PAGES, "ARCHITECTURE.md", "CONTRIBUTING.md"]:
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in target:
                assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
        for code in re.findall(r"`((?:docs|models|crates|services|xtask|tests|runtimes)/[\w./-]+\.\w+)`", text):
            assert (ROOT / code).exists(), f"{page} names {code}"


def test_every_operation_of_the_compatibility_page_exists():
    text = (ROOT / "docs" / "compatibility.md").read_text()
    lines = (ROOT / "models" / "unimplemented.txt").read_text().splitlines()
    missing = {tuple(line.split()) for line in lines if line and line[0] != "#"}
    words = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text))
    assert "CreateFunction" in words
    models = {path.stem: json.loads(path.read_text())["operations"] for path in (ROOT / "models").glob("*.json")}
    for word in words:
        # The same name is in several services at times: one of them has to have it.
        services = {service for service, operations in models.items() if word in operations}
        assert not services or services - {service for service, name in missing if name == word}, word
