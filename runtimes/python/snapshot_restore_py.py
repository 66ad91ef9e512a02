"""Hooks of SnapStart: what a function does before its environment is set aside, and when a request wants it back.

<https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html>
"""

_before_snapshot = []
_after_restore = []


def register_before_snapshot(hook, *args, **kwargs):
    """Calls `hook` before the snapshot; the last one registered is called first."""
    _before_snapshot.append((hook, args, kwargs))
    return hook


def register_after_restore(hook, *args, **kwargs):
    """Calls `hook` after the snapshot is restored, in the order of registration."""
    _after_restore.append((hook, args, kwargs))
    return hook


def get_before_snapshot():
    return _before_snapshot


def get_after_restore():
    return _after_restore


def reset_before_snapshot():
    _before_snapshot.clear()


def reset_after_restore():
    _after_restore.clear()
