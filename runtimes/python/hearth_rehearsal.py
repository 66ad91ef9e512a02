"""A function that a stem loads and forgets while it has time: what Python's compiler and importer then have in memory is
not waited for when the real one comes. Never byte-compiled, so that the compiler runs; of every construct a little."""

import os

NAMES = {name: len(name) for name in ("one", "two") if name}


class Thing:
    name: str = "thing"

    @property
    def size(self):
        return len(self.name)

    def label(self, *parts, sep="-", **more):
        return f"{self.name!r}{sep}{sep.join(parts):>{4}}{more}"


def handler(event, context):
    try:
        with open(os.devnull) as nothing:
            lines = [line.strip() for line in nothing]
        for number, line in enumerate(lines):
            if number and (line or not event) and number % 2 == 0:
                raise ValueError("never")
        while lines:
            lines.pop()
    except (KeyError, ValueError) as error:
        return {"statusCode": 500, "body": str(error)}
    finally:
        del lines
    answer = (lambda first, *rest: first if rest else None)(1, 2)
    return {"statusCode": 200, "body": Thing().label("a", "b", c=answer)}
