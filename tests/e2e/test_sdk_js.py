"""The README's journey with the AWS SDK for JavaScript, which reads `AWS_ENDPOINT_URL` as users set it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import HERE, zip_of

MODULES = Path(os.environ.get("HEARTH_TEST_NODE_MODULES", HERE.parents[1] / "target" / "test-env" / "node" / "node_modules"))

INDEX = """
console.log('module loaded');
export const handler = async (event, context) => {
  console.log('hello,', event.name);
  return { greeting: `Hello, ${event.name}!`, memory: context.memoryLimitInMB, stage: process.env.STAGE };
};
"""


def test_the_whole_journey(server, tmp_path):
    if not MODULES.is_dir() or not shutil.which("node"):
        pytest.skip(f"there is no AWS SDK for JavaScript at {MODULES}; cargo xtask test installs it")
    # Node finds packages beside the script, and only there.
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy(HERE / "sdk-js" / "journey.mjs", tmp_path)
    (tmp_path / "function.zip").write_bytes(zip_of({"index.mjs": INDEX}))
    (tmp_path / "changed.zip").write_bytes(zip_of({"index.mjs": INDEX.replace("Hello", "Good day")}))
    environment = server.cli_environment(AWS_REGION="ap-south-1", AWS_ACCESS_KEY_ID="222233334444")
    done = subprocess.run(
        ["node", "journey.mjs"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
