"""As an ordinary user: everything works, nothing more is visible, and Hearth says which limits it cannot hold.

Run by root, these tests give up root's rights first; run by somebody else, they are that user.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BINARY, Server, eventually, zip_of
from test_isolation import PROBE
from test_provided import SHELL

ROOT = os.geteuid() == 0
# Nobody's, and in no range that useradd or systemd takes from.
UID = 60999 if ROOT else os.geteuid()


class UsersServer(Server):
    """`hearth up` as that user types it: data and cache are where they are by default."""

    def __init__(self, home, binary):
        super().__init__(wait=False)
        self.binary = binary
        kept = {name: value for name, value in self.environment.items() if not name.startswith(("XDG_", "HEARTH_"))}
        self.environment = {**kept, **npm_settings(), "HOME": str(home)}
        self.start()

    def command(self):
        drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"] if ROOT else []
        return [*drop, self.binary, "up", "--listen", f"127.0.0.1:{self.port}"]


def npm_settings():
    """Where npm gets packages from may be written in the home that these tests leave."""
    npm = shutil.which("npm")
    if npm is None:
        return {}
    settings = {}
    for name in ("registry", "cafile"):
        value = subprocess.run([npm, "config", "get", name], capture_output=True, text=True).stdout.strip()
        if value and value != "null":
            settings[f"npm_config_{name}"] = value
    return settings


@pytest.fixture(scope="module")
def place():
    """A directory that the user can pass through, wherever this checkout is."""
    place = Path(tempfile.mkdtemp(prefix="hearth-e2e-rootless-"))
    place.chmod(0o755)
    home = place / "home"
    home.mkdir(mode=0o700)
    (home / "secret").write_text("the user's own")
    os.chown(home, UID, UID if ROOT else -1)
    os.chown(home / "secret", UID, UID if ROOT else -1)
    shutil.copy(BINARY, place / "hearth")
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def rootless(place):
    running = UsersServer(place / "home", str(place / "hearth"))
    yield running
    assert running.stop() == 0, running.printed()
    eventually(lambda: not processes(running), what="no process being left")


@pytest.fixture(scope="module")
def probe(rootless):
    name = rootless.python(PROBE, MemorySize=512, Timeout=60, name="probe")

    def see(expression, setup=""):
        answer, response = rootless.invoke(name, {"see": expression, "setup": setup})
        assert "FunctionError" not in response, answer
        return answer

    return see


def processes(server):
    """The processes that run as the user, if that user is the tests' own."""
    if not ROOT:
        return []
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path(f"/proc/{entry}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if fields["Uid"].split()[0] == str(UID) and not fields["State"].startswith("Z"):
            found.append((entry, fields["Name"]))
    return found


def test_it_says_where_data_is_and_which_limits_are_missing(rootless, place):
    printed = rootless.printed()
    data = place / "home" / ".local" / "share" / "hearth"
    assert f"Data      {data}" in printed and data.stat().st_uid == UID
    assert "not enforced:" in printed and "- users: without root" in printed
    # The way to learn of each missing limit is a cgroup of one's own, which a dropped user has none of.
    for limit in ("memory", "cpu", "processes", "storage") if ROOT else ():
        assert f"- {limit}: " in printed, printed


def test_it_runs_as_that_user(rootless):
    assert Path(f"/proc/{rootless.process.pid}").stat().st_uid == UID
    status = Path(f"/proc/{rootless.process.pid}/status").read_text()
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


def test_python_has_boto3_from_the_users_cache_and_reaches_hearth(rootless, probe, place):
    who = probe("__import__('boto3').client('sts').get_caller_identity()['Arn']")
    assert who.startswith("arn:aws:sts::000000000000:assumed-role/") and who.endswith("/probe")
    installed = place / "home" / ".cache" / "hearth" / "sdk" / "boto3"
    assert installed.stat().st_uid == UID


def test_node_runs(rootless):
    name = rootless.node("export const handler = async (event) => ({ n: event.n + 1, uid: process.getuid() });", Timeout=60)
    answer = rootless.invoke(name, {"n": 1})[0]
    assert answer["n"] == 2 and answer["uid"] != 0


def test_a_custom_runtime_runs(rootless):
    files = {"bootstrap": (SHELL, 0o755), "function.sh": "handler() { echo \"{\\\"got\\\": $1}\"; }\n"}
    name = rootless.function_from(zip_of(files), runtime="provided.al2023", handler="function.handler")
    assert rootless.invoke(name, {"a": 1})[0] == {"got": {"a": 1}}


def test_the_users_own_files_and_processes_are_not_there(rootless, probe, place):
    for path in (place / "home" / "secret", place / "home" / ".local", place / "hearth"):
        assert probe(f"os.path.exists({str(path)!r})") is False, path
    assert len(probe("[entry for entry in os.listdir('/proc') if entry.isdigit()]")) <= 4
    # The very same user on this machine, but in another process namespace.
    assert probe(f"attempt(lambda: os.kill({rootless.process.pid}, 9))") == "ProcessLookupError: ESRCH"
    assert rootless.is_ready()


@pytest.mark.parametrize(
    "call",
    [
        "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/var/task', 2)",
        "libc.unshare(0x10000000)",
        "libc.ptrace(16, 1, None, None)",
        "libc.syscall(425, 1, None)",
    ],
    ids=["mount", "umount", "user namespace", "ptrace", "io_uring"],
)
def test_the_kernels_doors_are_shut(probe, call):
    seen = probe(f"({call}, errno.errorcode.get(ctypes.get_errno()))", "libc = ctypes.CDLL(None, use_errno=True)")
    assert seen[0] == -1 and seen[1] in ("EPERM", "ENOSYS"), seen


def test_no_privilege_is_held_or_to_be_had(probe):
    status = probe("dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    # Root has no number in this namespace at all, or may not be asked for.
    assert probe("attempt(lambda: os.setuid(0))") in ("PermissionError: EPERM", "OSError: EINVAL")


def test_tmp_is_private_and_has_its_size(probe):
    assert probe("open('/tmp/mine', 'w').write('x')") == 1
    assert not Path("/tmp/mine").exists()
    size_mib = probe("os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize >> 20")
    assert 500 <= size_mib <= 512


def test_only_tmp_can_be_written(probe):
    for path in ("/var/task/new", "/var/runtime/new", "/usr/bin/new", "/etc/hosts", "/new"):
        seen = probe(f"attempt(lambda: open({path!r}, 'a'))")
        assert seen in ("OSError: EROFS", "PermissionError: EACCES", "FileNotFoundError: ENOENT"), (path, seen)


def test_what_was_acknowledged_survives_a_kill_and_no_process_does(rootless, probe):
    assert probe("1") == 1
    rootless.kill()
    eventually(lambda: not processes(rootless), what="the kernel ending the rest")
    rootless.start()
    assert probe("2") == 2
