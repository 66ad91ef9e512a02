"""A full disk: functions run on, what they print is dropped with a warning, and is kept again when there is room."""

from conftest import eventually, fill

# More than all queues between a function and the disk hold.
SOURCE = """
def handler(event, context):
    for line in range(event["lines"]):
        print(event["says"] + "x" * 1_000)
    return event["says"]
"""


def test_functions_run_on_and_their_lines_are_dropped(start, small_disk):
    server = start(data_dir=small_disk)
    name = server.python(SOURCE, Timeout=60)
    logs = server.client("logs")

    def said(text):
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{text}"')["events"]
        return bool(events)

    server.invoke(name, {"lines": 1, "says": "before"})
    eventually(lambda: said("before"), what="a line in the log")
    filler = fill(small_disk)
    for _ in range(3):
        assert server.invoke(name, {"lines": 20_000, "says": "meanwhile"})[0] == "meanwhile"
    eventually(lambda: "log lines are dropped" in server.printed(), what="a warning")
    filler.unlink()

    def is_kept_again():
        server.invoke(name, {"lines": 1, "says": "after"})
        return said("after")

    eventually(is_kept_again, timeout=60, what="a line in the log again")
    eventually(lambda: "there is room again" in server.printed(), what="the good news")
