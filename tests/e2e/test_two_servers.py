"""Two servers on one machine do not know of each other: one is killed, the other is unharmed, and nothing stays behind."""

import os
import threading
from pathlib import Path

from conftest import eventually

SOURCE = (
    "import os, time\n"
    "def handler(event, context):\n"
    "    print('working')\n"
    "    time.sleep(event.get('seconds', 0))\n"
    "    return event['n'] * 2\n"
)


def mounts():
    """What is mounted where the tests run, but for what other tests mount for themselves."""
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if not line.startswith("hearth-e2e")]


def test_a_killed_server_harms_no_other_and_leaves_nothing(start, data_dir):
    before = mounts()
    survivor, victim = start(), start(data_dir=data_dir / "victim")
    running = {server: (server.python(SOURCE, Timeout=20), server.python(SOURCE, Timeout=20)) for server in (survivor, victim)}
    for server, (warm, _) in running.items():
        assert server.invoke(warm, {"n": 1})[0] == 2
    answers = {}
    calls = [
        threading.Thread(target=in_the_middle, args=(server, busy, answers)) for server, (_, busy) in running.items()
    ]
    for call in calls:
        call.start()
    for server, (_, busy) in running.items():
        eventually(lambda: is_working(server, busy), what="an invocation in the middle")
    family, groups = descendants(victim), cgroups_of(victim)
    assert len(family) >= 3, "a launcher and two environments"

    victim.kill()

    eventually(lambda: not alive(family), what="the kernel ending every process of the killed server")
    for call in calls:
        call.join()
    assert answers[survivor] == 42 and isinstance(answers[victim], Exception), answers
    warm, _ = running[survivor]
    answer, response = survivor.invoke(warm, {"n": 4}, LogType="Tail")
    assert answer == 8 and "FunctionError" not in response
    assert survivor.invoke(survivor.python(SOURCE), {"n": 5})[0] == 10, "new environments start, too"

    victim.start()
    left = [group for group in groups if group.exists()]
    assert left == [], "the next start sweeps the dead server's groups"
    assert survivor.invoke(warm, {"n": 6})[0] == 12, "and nobody else's"
    assert victim.invoke(running[victim][0], {"n": 7})[0] == 14
    assert mounts() == before
    family = descendants(victim) + descendants(survivor)
    assert (victim.stop(), survivor.stop()) == (0, 0)
    eventually(lambda: not alive(family), what="every process being gone")


def test_an_ephemeral_server_that_was_killed_leaves_nothing_beyond_the_next_start(start):
    killed = start()
    assert killed.invoke(killed.python(SOURCE), {"n": 1})[0] == 2
    home = home_of(killed)
    assert home.is_dir()
    killed.kill()
    next_one = start()
    assert not home.exists()
    own = home_of(next_one)
    assert next_one.stop() == 0
    assert not own.exists()


def test_it_may_open_as_many_files_as_it_is_allowed_to(start):
    limits = Path(f"/proc/{start().process.pid}/limits").read_text()
    [files] = [line.split() for line in limits.splitlines() if line.startswith("Max open files")]
    assert files[3] == files[4]


def in_the_middle(server, name, answers):
    try:
        answers[server] = server.invoke(name, {"n": 21, "seconds": 3})[0]
    except Exception as error:
        answers[server] = error


def is_working(server, name):
    logs = server.client("logs")
    try:
        return logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="working")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return None


def status(pid):
    """A process's parent and start, or None; a number may be given again, a number with its start is not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])


def descendants(server):
    """Every process below the server, each with its start."""
    seen = {int(entry): status(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    family, grown = {server.process.pid}, True
    while grown:
        more = {pid for pid, known in seen.items() if known and known[0] in family} - family
        family, grown = family | more, bool(more)
    return [(pid, seen[pid][1]) for pid in family - {server.process.pid}]


def alive(family):
    return [pid for pid, started in family if (status(pid) or (0, None))[1] == started]


def cgroups_of(server):
    """The control groups that the server's launcher made, in every hierarchy."""
    launchers = {str(pid) for pid, _ in descendants(server)}
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if " cgroup" in line]
    found = (group for at in mounted for group in Path(at).glob("**/hearth/*-*") if group.is_dir())
    return [group for group in found if group.name.partition("-")[0] in launchers]


def home_of(server):
    """Where an ephemeral server keeps what it keeps: its database is open there."""
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        target = Path(os.readlink(entry))
        if target.parent.name.startswith("hearth-ephemeral-"):
            return target.parent
    raise AssertionError("no file of an ephemeral directory is open")
