"""From inside a function: what it can see and reach of this machine, which is next to nothing."""

import base64
import http.server
import json
import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from conftest import eventually, free_port
from test_two_servers import descendants

# Runs any expression a test sends: what is tested is the sandbox, not the function.
PROBE = """
import os, sys, socket, subprocess, ctypes, errno, glob, json, signal, stat, threading, time, urllib.request

def attempt(action):
    try:
        return action()
    except BaseException as error:
        return type(error).__name__ + (": " + errno.errorcode.get(error.errno, "") if getattr(error, "errno", None) else "")

def dial(host, port, say=b"", timeout=3):
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(say)
        return connection.recv(100).decode("latin-1") or "closed"

def handler(event, context):
    scope = dict(globals())
    exec(event.get("setup", ""), scope)
    return eval(event["see"], scope)
"""


@pytest.fixture(scope="module")
def probe(server):
    name = server.python(PROBE, MemorySize=512, Timeout=20)

    def see(expression, setup=""):
        answer, response = server.invoke(name, {"see": expression, "setup": setup})
        assert "FunctionError" not in response, answer
        return answer

    see.name = name
    return see


@pytest.fixture(autouse=True)
def the_server_is_unharmed(server):
    yield
    assert server.is_ready()


@pytest.mark.parametrize(
    "path",
    ["/root", "/home", "/etc/shadow", "/etc/ssh", "/boot", "/sys", "/run", "/var/lib", "/mnt", "/srv", "/var/log"],
)
def test_the_hosts_files_are_not_there(probe, path):
    seen = probe(f"attempt(lambda: os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}).read())")
    assert seen == [] or seen in ("FileNotFoundError: ENOENT", "PermissionError: EACCES", "PermissionError: EPERM"), seen


def test_this_very_file_and_the_servers_data_are_not_there(probe, server):
    for path in (__file__, str(Path(__file__).parents[2]), str(server.output.name)):
        assert probe(f"os.path.exists({path!r})") is False, path
    # Nothing in the sandbox is named after the machine's user.
    assert probe("attempt(lambda: os.readlink('/proc/1/exe'))") != os.readlink(f"/proc/{server.process.pid}/exe")


def test_only_its_own_processes_are_there(probe, server):
    processes = probe("sorted(int(entry) for entry in os.listdir('/proc') if entry.isdigit())")
    assert 1 in processes and len(processes) <= 4, processes
    commands = probe(
        "[attempt(lambda: open(path, 'rb').read().decode()) for path in glob.glob('/proc/[0-9]*/cmdline')]"
    )
    assert not any("up\0--listen" in command for command in commands), commands
    # The sandbox's own init is out of reach, too.
    assert probe("attempt(lambda: os.kill(1, signal.SIGKILL))") in (None, "PermissionError: EPERM")
    assert probe("attempt(lambda: open('/proc/1/environ').read())") in ("", "PermissionError: EACCES", "PermissionError: EPERM")
    assert probe("attempt(lambda: open('/proc/1/mem', 'rb').read(1))").startswith("PermissionError")


def test_it_has_no_capability_and_cannot_get_one(probe):
    status = probe("dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    assert probe("os.getuid()") != 0 and probe("os.geteuid()") != 0
    # Without root, root has no number in the sandbox at all.
    assert probe("attempt(lambda: os.setuid(0))") in ("PermissionError: EPERM", "OSError: EINVAL")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("mount", "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)"),
        ("umount", "libc.umount2(b'/var/task', 2)"),
        ("a user namespace", "libc.unshare(0x10000000)"),
        ("a mount namespace", "libc.unshare(0x00020000)"),
        ("ptrace", "libc.ptrace(16, 1, None, None)"),
        ("chroot", "libc.chroot(b'/tmp')"),
        ("a module", "libc.syscall(313, 0, b'', 0)"),
        ("bpf", "libc.syscall(321, 0, None, 0)"),
        ("io_uring", "libc.syscall(425, 1, None)"),
        ("the keyring", "libc.syscall(250, 0, -3, 0)"),
        ("reboot", "libc.reboot(0x1234567)"),
        ("the host name", "libc.sethostname(b'x', 1)"),
        ("another root of the file system", "libc.syscall(155, b'/tmp', b'/tmp')"),
        ("a file handle", "libc.syscall(304, -100, None, 0)"),
    ],
)
def test_the_kernels_doors_are_shut(probe, name, call):
    seen = probe(f"({call}, errno.errorcode.get(ctypes.get_errno()))", "libc = ctypes.CDLL(None, use_errno=True)")
    assert seen[0] == -1 and seen[1] in ("EPERM", "EACCES", "ENOSYS", "EINVAL"), (name, seen)


@pytest.mark.parametrize(
    "arguments",
    ["socket.AF_INET, socket.SOCK_RAW, 1", "socket.AF_PACKET, socket.SOCK_RAW, 0", "socket.AF_NETLINK, socket.SOCK_RAW, 12", "40, socket.SOCK_STREAM, 0"],
    ids=["raw", "packet", "netfilter", "vsock"],
)
def test_sockets_other_than_the_usual_are_refused(probe, arguments):
    seen = probe(f"attempt(lambda: (lambda s: s.close() or 'open')(socket.socket({arguments})))")
    assert seen == "open" and "NETLINK" in arguments or seen.startswith(("PermissionError", "OSError")), seen


@pytest.mark.parametrize("path", ["/var/task/new", "/var/task/lambda_function.py", "/opt/new", "/var/runtime/new", "/usr/bin/new", "/etc/hosts", "/etc/resolv.conf", "/new"])
def test_only_tmp_can_be_written(probe, path):
    seen = probe(f"attempt(lambda: open({path!r}, 'a').write('x'))")
    assert seen in ("OSError: EROFS", "PermissionError: EACCES", "PermissionError: EPERM", "FileNotFoundError: ENOENT"), seen


def test_tmp_can_be_written_and_is_its_own(server, probe):
    other = server.python(PROBE, Timeout=20)
    assert probe("open('/tmp/secret', 'w').write('mine')") == 4
    assert server.invoke(other, {"see": "os.listdir('/tmp')"})[0] == []
    assert probe("open('/tmp/secret').read()") == "mine"
    assert not os.path.exists("/tmp/secret")


def test_what_is_in_tmp_is_not_memory(server):
    name = server.python(PROBE, MemorySize=128, Timeout=60, EphemeralStorage={"Size": 1024})
    setup = (
        "def fill():\n"
        "    block = b'x' * (1 << 20)\n"
        "    with open('/tmp/big', 'wb', buffering=0) as big:\n"
        "        for _ in range(300):\n"
        "            big.write(block)\n"
        "    room = os.statvfs('/tmp')\n"
        "    return [os.path.getsize('/tmp/big') >> 20, room.f_blocks * room.f_frsize >> 20]\n"
    )
    answer = server.client("lambda").invoke(
        FunctionName=name, LogType="Tail", Payload=json.dumps({"see": "fill()", "setup": setup})
    )
    assert json.load(answer["Payload"]) == [300, 1024]
    report = base64.b64decode(answer["LogResult"]).decode()
    assert int(re.search(r"Max Memory Used: (\d+) MB", report)[1]) < 100, report


def test_a_disk_filler_meets_the_configured_size(server):
    name = server.python(PROBE, MemorySize=128, Timeout=60, EphemeralStorage={"Size": 512})
    setup = (
        "def fill():\n"
        "    written, block = 0, b'x' * (1 << 20)\n"
        "    with open('/tmp/big', 'wb', buffering=0) as big:\n"
        "        while True:\n"
        "            try:\n"
        "                written += big.write(block)\n"
        "            except OSError as error:\n"
        "                return [written >> 20, errno.errorcode[error.errno]]\n"
    )
    try:
        written_mib, error = server.invoke(name, {"see": "fill()", "setup": setup})[0]
        assert error == "ENOSPC" and 480 <= written_mib <= 513
    finally:
        server.client("lambda").delete_function(FunctionName=name)


def test_a_fork_bomb_stays_within_its_bound(server):
    name = server.python(PROBE, MemorySize=512, Timeout=20)
    setup = (
        "def bomb():\n"
        "    children = []\n"
        "    try:\n"
        "        for number in range(5000):\n"
        "            child = os.fork()\n"
        "            if child == 0:\n"
        "                time.sleep(600)\n"
        "                os._exit(0)\n"
        "            children.append(child)\n"
        "    except OSError as error:\n"
        "        return [len(children), errno.errorcode[error.errno]]\n"
        "    finally:\n"
        "        for child in children:\n"
        "            os.kill(child, signal.SIGKILL)\n"
        "        for child in children:\n"
        "            os.waitpid(child, 0)\n"
        "    return [len(children), 'unbounded']\n"
    )
    before = len(descendants(server))
    answer, response = server.invoke(name, {"see": "bomb()", "setup": setup})
    # Processes cost memory: the kernel may end it for that before the count does.
    if "FunctionError" not in response:
        assert answer[1] == "EAGAIN" and answer[0] <= 1024, answer
    assert server.invoke(name, {"see": "1"})[0] == 1
    eventually(lambda: len(descendants(server)) < before + 50, what="the bomb's processes being gone")


def test_a_fork_bomb_that_never_ends_is_ended(server):
    name = server.python(PROBE, MemorySize=256, Timeout=2)
    setup = "def bomb():\n    while True:\n        try: os.fork()\n        except OSError: pass\n"
    before = len(descendants(server))
    answer, response = server.invoke(name, {"see": "bomb()", "setup": setup})
    assert answer["errorType"] in ("Sandbox.Timedout", "Runtime.OutOfMemory"), answer
    # In the same environment: it was not given up.
    assert server.invoke(name, {"see": "1"})[0] == 1
    assert "environment broke" not in server.printed()
    eventually(lambda: len(descendants(server)) < before + 50, what="the bomb's processes being gone")


def test_a_memory_hog_is_ended_alone(server):
    server.must_enforce("memory")
    name = server.python(PROBE, MemorySize=256, Timeout=20)
    payload, response = server.invoke(name, {"see": "len(bytearray(1 << 30))"})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError", "MemoryError"), payload
    assert server.invoke(name, {"see": "1"})[0] == 1


@pytest.fixture
def listener():
    """A service of the host, on its loopback, such as a database."""

    class Secret(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the host's secret")

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Secret)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port
    running.shutdown()
    running.server_close()


def own_address():
    """This machine's address on its network, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probing:
        try:
            probing.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probing.getsockname()[0]


def test_the_hosts_services_are_out_of_reach(probe, listener):
    addresses = ["127.0.0.1", "localhost", "host.docker.internal", "0.0.0.0", "169.254.100.2", own_address()]
    for address in filter(None, addresses):
        seen = probe(f"attempt(lambda: dial({address!r}, {listener}, b'GET / HTTP/1.0\\r\\n\\r\\n'))")
        assert "secret" not in seen and seen.split(":")[0] in (
            "ConnectionRefusedError", "ConnectionResetError", "OSError", "TimeoutError", "gaierror", "closed", "BrokenPipeError",
        ), (address, seen)


def test_the_metadata_service_of_a_cloud_is_out_of_reach(probe):
    seen = probe("attempt(lambda: dial('169.254.169.254', 80, b'GET / HTTP/1.0\\r\\n\\r\\n'))")
    assert seen.split(":")[0] in ("ConnectionRefusedError", "ConnectionResetError", "OSError", "closed", "BrokenPipeError"), seen


def test_hearths_endpoint_is_reached_by_the_same_address(probe, server):
    health = probe("json.loads(urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_hearth/health').read())['status']")
    assert health == "ready"
    assert probe("os.environ['AWS_ENDPOINT_URL']") == server.endpoint


def test_an_address_that_was_allowed_is_reached_and_no_other(start, listener):
    closed = free_port()
    server = start("--allow-host", f"127.0.0.1:{listener}")
    name = server.python(PROBE, Timeout=20)
    say = "b'GET / HTTP/1.0\\r\\n\\r\\n'"
    asked = f"urllib.request.urlopen('http://host.docker.internal:{listener}/', timeout=5).read().decode()"
    assert server.invoke(name, {"see": asked})[0] == "the host's secret"
    refused = server.invoke(name, {"see": f"attempt(lambda: dial('host.docker.internal', {closed}, {say}))"})[0]
    assert "HTTP" not in refused


def test_functions_do_not_reach_each_other(server, probe):
    waiting = server.python(
        "import socket\n"
        "def handler(event, context):\n"
        "    with socket.create_server(('0.0.0.0', 8123)) as listener:\n"
        "        listener.settimeout(3)\n"
        "        print('listening')\n"
        "        try:\n"
        "            listener.accept()\n"
        "            return 'reached'\n"
        "        except TimeoutError:\n"
        "            return 'alone'\n",
        Timeout=10,
    )
    answers = []
    call = threading.Thread(target=lambda: answers.append(server.invoke(waiting)[0]))
    call.start()
    logs = server.client("logs")

    def listening():
        try:
            return logs.filter_log_events(logGroupName=f"/aws/lambda/{waiting}", filterPattern="listening")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None

    eventually(listening, what="the listener")
    for address in ("127.0.0.1", "169.254.100.1", "0.0.0.0"):
        assert probe(f"attempt(lambda: dial({address!r}, 8123))") != ""
    call.join()
    assert answers == ["alone"]


def test_nothing_of_another_function_is_visible(server, probe):
    secret = f"secret-{time.monotonic_ns()}"
    name = server.python(PROBE, Environment={"Variables": {"SECRET": secret}})
    assert server.invoke(name, {"see": "os.environ['SECRET']"})[0] == secret
    environments = probe(
        "[attempt(lambda: open(path, 'rb').read().decode('latin-1')) for path in glob.glob('/proc/[0-9]*/environ')]"
    )
    assert secret not in json.dumps(environments)
    assert secret not in json.dumps(probe("dict(os.environ)"))
    # Not its credentials either: each function has its own.
    own = server.invoke(name, {"see": "os.environ['AWS_ACCESS_KEY_ID']"})[0]
    assert own != probe("os.environ['AWS_ACCESS_KEY_ID']")


def test_nothing_of_the_servers_environment_is_visible(start):
    server = start(environment={"HOST_SECRET": "not yours"})
    name = server.python(PROBE)
    seen = server.invoke(name, {"see": "dict(os.environ)"})[0]
    assert "HOST_SECRET" not in seen and "not yours" not in json.dumps(seen)


def test_no_descriptor_of_the_server_is_inherited(probe):
    links = probe("{fd: attempt(lambda: os.readlink('/proc/self/fd/' + fd)) for fd in os.listdir('/proc/self/fd')}")
    for fd, target in links.items():
        known = target.startswith(("pipe:", "socket:", "/dev/null", "/proc/", "anon_inode:")) or "ENOENT" in target
        assert known, (fd, target)
    assert len(links) <= 8, links


def test_a_new_revision_sees_nothing_of_the_old_one(server):
    name = server.python(PROBE)
    server.invoke(name, {"see": "open('/tmp/left', 'w').write('x')"})
    client = server.client("lambda")
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"NEW": "1"}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    assert server.invoke(name, {"see": "os.listdir('/tmp')"})[0] == []


def test_what_is_left_of_a_function_ends_with_it(server):
    name = server.python(PROBE, Timeout=20)
    marker = f"sleeper-{time.monotonic_ns()}"
    started = f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {marker!r}]).pid > 0"
    assert server.invoke(name, {"see": started})[0] is True
    eventually(lambda: running(marker), what="the sleeper")
    server.client("lambda").delete_function(FunctionName=name)
    eventually(lambda: not running(marker), what="the sleeper's end")


def running(marker):
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            pass
    return False
