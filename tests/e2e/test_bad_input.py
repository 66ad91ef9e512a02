"""Bad input to every operation of Lambda that is there, made from the constraints of AWS's model.

Each request has one member that is wrong: missing, too short, too long, out of range, of a wrong pattern or type, or
none of the values of its enumeration. What the model says about it is worked out here once more, apart from the
server, and the answer has to say the same. In the end nothing is stored.
"""

import http.client
import json
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from conftest import HERE

MODELS = HERE.parents[1] / "models"
MODEL = json.loads((MODELS / "lambda.json").read_text())
SHAPES = MODEL["shapes"]
MISSING_OPERATIONS = {
    line.split()[1] for line in (MODELS / "unimplemented.txt").read_text().splitlines() if line.startswith("lambda ")
}
OPERATIONS = sorted(set(MODEL["operations"]) - MISSING_OPERATIONS)
# Checked by the service itself, in words of its own: see `plain` in models/services.toml.
PLAIN = {"Runtime"}
# Longer than this a value is not made: no request may be as long.
LENGTH_MAX = 20_000
# What satisfies a pattern; of other shapes a letter or an enumeration's first value does.
SAMPLES = [
    "f",
    "1",
    "2.5",
    "*",
    "ALL",
    "000000000000",
    "/mnt/x",
    "/x",
    "kafka://topic",
    "b.example:9092",
    "csc-0123456789abcdef0",
    "00000000-0000-4000-8000-000000000000",
    "subnet-1",
    "sg-1",
    "lambda:x",
    "lambda.amazonaws.com",
    "o-0123456789",
    "aws:x",
    "Test",
    "arn:aws:iam::000000000000:role/x",
    "arn:aws:lambda:us-east-1:000000000000:function:f",
    "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/x/y",
    "arn:aws:lambda:us-east-1:000000000000:layer:l:1",
    "arn:aws:lambda:us-east-1:000000000000:layer:l",
    "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
    "arn:aws:lambda:us-east-1:000000000000:capacity-provider:x",
    "arn:aws:lambda:us-east-1::runtime:0123456789abcdef0123456789abcdef",
    "arn:aws:lambda:us-east-1:000000000000:runtime/abcdefghij",
    "lambda:GetLayerVersion",
    "lambda:InvokeFunction",
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0",
    "arn:aws:kms:us-east-1:000000000000:key/x",
    "arn:aws:sqs:us-east-1:000000000000:q",
    "arn:aws:s3:::b",
    "GET",
]
# Whatever may break a pattern.
BREAKERS = ["!", " ", "\n", "a b", "x:y z", "-", "."]


def lower(name):
    return name[:1].lower() + name[1:]


def pattern_of(shape):
    """The model's pattern in Python, which has no classes of Unicode: what is tried is ASCII."""
    source = shape.get("pattern")
    for java, python in (("\\p{L}", "a-zA-Z"), ("\\p{Z}", " "), ("\\p{N}", "0-9")):
        source = source and source.replace(java, python)
    return re.compile(source) if source is not None else None


def rules(name):
    """What a value of a shape has to satisfy: (text, check), in the order in which broken ones are said."""
    shape = SHAPES[name]
    kind = shape["type"]
    found = []
    if name in PLAIN:
        return found
    if kind == "string" and (pattern := pattern_of(shape)):
        text = f"Member must satisfy regular expression pattern: {shape['pattern']}"
        found.append((text, lambda value: pattern.fullmatch(value) is not None))
    if kind in ("string", "list", "map", "blob"):
        for bound, word in (("max", "less"), ("min", "greater")):
            if (limit := shape.get(bound)) is not None:
                text = f"Member must have length {word} than or equal to {limit}"
                holds = (lambda value, limit=limit: len(value) <= limit) if bound == "max" else (
                    lambda value, limit=limit: len(value) >= limit
                )
                found.append((text, holds))
    if kind in ("integer", "long", "double", "float"):
        decimal = ".0" if kind in ("double", "float") else ""
        for bound, word in (("max", "less"), ("min", "greater")):
            if (limit := shape.get(bound)) is not None:
                text = f"Member must have value {word} than or equal to {int(limit)}{decimal}"
                holds = (lambda value, limit=limit: value <= limit) if bound == "max" else (
                    lambda value, limit=limit: value >= limit
                )
                found.append((text, holds))
    if shape.get("enum"):
        text = f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        found.append((text, lambda value: value in shape["enum"]))
    return found


def holds_secrets(name, seen=()):
    shape = SHAPES[name]
    if name in seen:
        return False
    inner = [member["shape"] for member in shape.get("members", {}).values()]
    inner += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return bool(shape.get("sensitive")) or any(holds_secrets(one, (*seen, name)) for one in inner)


def shown(value):
    """As Java prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={shown(one)}' for key, one in sorted(value.items()))}}}"
    return str(value)


def complaints(name, value, path, hidden=False):
    """What is wrong with a value, as AWS says it."""
    shape = SHAPES[name]
    kind = shape["type"]
    hidden = hidden or bool(shape.get("sensitive"))
    # Structures are not shown, not even in lists.
    in_list = kind == "list" and SHAPES[shape["member"]["shape"]]["type"] == "structure"
    told = f"[{', '.join(['...'] * len(value))}]" if in_list else shown(value)
    quoted = "" if hidden or holds_secrets(name) or kind in ("structure", "blob") else f" '{told}'"
    say = lambda text: f"Value{quoted} at '{path}' failed to satisfy constraint: {text}"
    found = [say(text) for text, holds in rules(name) if not holds(value)]
    if kind == "structure":
        for member, reference in shape["members"].items():
            where = f"{path}.{lower(member)}" if path else lower(member)
            if member in value:
                found += complaints(reference["shape"], value[member], where, hidden)
            elif member in shape.get("required", []):
                secret = hidden or holds_secrets(reference["shape"])
                found.append(f"Value null at '{where}' failed to satisfy constraint: Member must not be null")
    elif kind == "list":
        element = shape["member"]["shape"]
        if SHAPES[element]["type"] in ("structure", "list", "map"):
            for at, one in enumerate(value, 1):
                found += complaints(element, one, f"{path}.{at}.member", hidden)
        elif any(not holds(one) for one in value for _, holds in rules(element)):
            found.append(say(f"Member must satisfy constraint: {in_collections(element)}"))
    elif kind == "map":
        for part, of, what in (("key", list(value), "keys"), ("value", list(value.values()), "value")):
            element = shape[part]["shape"]
            if any(not holds(one) for one in of for _, holds in rules(element)):
                found.append(say(f"Map {what} must satisfy constraint: {in_collections(element)}"))
        element = shape["value"]["shape"]
        if SHAPES[element]["type"] in ("structure", "list", "map"):
            for key, one in sorted(value.items()):
                found += complaints(element, one, f"{path}.{key}.member", hidden)
    return found


def in_collections(name):
    """All constraints of an element: the most before the least, before pattern and values."""
    texts = [text for text, _ in rules(name)]
    order = lambda text: ("less than" not in text, "greater than" not in text, "pattern" not in text)
    return f"[{', '.join([*sorted(texts, key=order), 'Member must not be null'])}]"


def fits(name, value):
    return all(holds(value) for _, holds in rules(name))


def valid(name):
    """The least that a shape may be."""
    shape = SHAPES[name]
    kind = shape["type"]
    if kind == "structure":
        return {member: valid(shape["members"][member]["shape"]) for member in shape.get("required", [])}
    if kind == "list":
        return [valid(shape["member"]["shape"])] * max(1, shape.get("min", 0))
    if kind == "map":
        return {valid(shape["key"]["shape"]): valid(shape["value"]["shape"])}
    if kind == "boolean":
        return True
    if kind in ("integer", "long"):
        return max(1, shape.get("min", 1))
    if kind in ("double", "float"):
        return float(max(1, shape.get("min", 1)))
    if kind == "timestamp":
        return 1
    if kind == "blob":
        return "eA=="
    for sample in [*shape.get("enum", []), *SAMPLES, "x" * shape.get("min", 1)]:
        if fits(name, sample):
            return sample
    raise AssertionError(f"no sample satisfies {name}: {shape}")


def bad(name, location):
    """Values that a shape may not be, as (what is wrong, value)."""
    shape = SHAPES[name]
    kind = shape["type"]
    in_body = location is None
    if kind == "string" and name not in PLAIN:
        sample = valid(name)
        if (most := shape.get("max", LENGTH_MAX)) < LENGTH_MAX:
            yield "too long", sample + "x" * (most + 1 - len(sample))
        if shape.get("min", 0) > 0 and location != "uri":
            yield "too short", ""
        breaker = next((one for one in BREAKERS if "pattern" in shape and pattern_of(shape) and not pattern_of(shape).fullmatch(one)), None)
        if breaker and location not in ("header", "headers"):
            yield "of a wrong pattern", breaker
        if shape.get("enum"):
            yield "not in the enumeration", "Nonsense"
    if kind in ("integer", "long", "double", "float"):
        if (least := shape.get("min")) is not None:
            yield "too small", (float if kind == "double" else int)(least - 1)
        if (most := shape.get("max")) is not None:
            yield "too large", (float if kind == "double" else int)(most + 1)
    if kind == "list":
        one = valid(shape["member"]["shape"])
        if (most := shape.get("max")) is not None and most < 200:
            yield "too many", [one] * (most + 1)
        if shape.get("min", 0) > 0 and in_body:
            yield "too few", []
        for what, wrong in bad(shape["member"]["shape"], location):
            if what != "of a wrong type":
                yield f"with one that is {what}", [wrong]
    if kind == "map":
        if shape.get("min", 0) > 0:
            yield "too few", {}
        for what, wrong in bad(shape["key"]["shape"], None):
            if what != "of a wrong type":
                yield f"with a key that is {what}", {wrong: valid(shape["value"]["shape"])}
        for what, wrong in bad(shape["value"]["shape"], None):
            if what != "of a wrong type":
                yield f"with a value that is {what}", {valid(shape["key"]["shape"]): wrong}
    if in_body:
        yield "of a wrong type", {"x": 1} if kind in ("string", "integer", "long", "boolean", "blob", "timestamp") else "x"
    elif kind in ("integer", "long"):
        yield "of a wrong type", "x"


def cases(operation):
    """(what is wrong, input, what the model says): none where the body cannot even be read."""
    name = MODEL["operations"][operation].get("input", {}).get("shape")
    if name is None:
        return
    whole = SHAPES[name]
    base = valid(name)
    for member in whole.get("required", []):
        reference = whole["members"][member]
        if reference.get("location") != "uri" and member != whole.get("payload"):
            without = {key: value for key, value in base.items() if key != member}
            yield f"{member} missing", without, complaints(name, without, "")
    yield from wrong_members(name, base, lambda changed: changed, "", set(), name, whole.get("payload"))


def wrong_members(name, base, put, path, seen, root, payload=None):
    """Each member of a structure in turn; `put` puts the structure where it belongs."""
    for member, reference in SHAPES[name].get("members", {}).items():
        location = reference.get("location")
        if member == payload or location in ("statusCode", "headers"):
            continue
        shape = reference["shape"]
        here = f"{path}.{member}" if path else member
        for what, value in bad(shape, location):
            wrong = put({**base, member: value})
            yield f"{here} {what}", wrong, None if what == "of a wrong type" else complaints(root, wrong, "")
        # Structures that many operations have are gone into once for each.
        inner, wrap = shape, lambda value: value
        if SHAPES[shape]["type"] == "list":
            inner, wrap = SHAPES[shape]["member"]["shape"], lambda value: [value]
        if SHAPES[inner]["type"] == "structure" and inner not in seen:
            required = SHAPES[inner].get("required", [])
            inside = lambda changed, member=member, wrap=wrap: put({**base, member: wrap(changed)})
            for absent in required:
                least = {key: value for key, value in valid(inner).items() if key != absent}
                yield f"{here}.{absent} missing", inside(least), complaints(root, inside(least), "")
            yield from wrong_members(inner, valid(inner), inside, here, seen | {inner}, root)


class Client:
    """Sends inputs as the model says, without looking at them."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def send(self, operation, values):
        model = MODEL["operations"][operation]
        name = model.get("input", {}).get("shape")
        members = SHAPES[name].get("members", {}) if name else {}
        path, query, headers, body = model["http"]["requestUri"], [], {}, {}
        payload = b""
        for member, value in values.items():
            reference = members[member]
            wire_name = reference.get("locationName", member)
            match reference.get("location"):
                case "uri":
                    path = re.sub(r"\{" + wire_name + r"\+?\}", quote(str(value), safe=""), path)
                case "querystring":
                    query += [(wire_name, shown(one)) for one in (value if isinstance(value, list) else [value])]
                case "header":
                    headers[wire_name] = shown(value)
                case _ if SHAPES[name].get("payload") == member:
                    payload = str(value).encode()
                case _:
                    body[wire_name] = value
        payload = json.dumps(body).encode() if body else payload
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        self.connection.request(model["http"]["method"], path, payload or None, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        error = (answer.getheader("x-amzn-errortype") or "").split(":")[0]
        try:
            found = json.loads(text)
            message = found.get("message") or found.get("Message") or ""
        except ValueError:
            message = text.decode(errors="replace")
        return answer.status, error, message


@pytest.fixture(scope="module")
def wire(server):
    return Client(server)


def stored(client):
    """All that Lambda's lists show."""
    lists = [
        ("list_functions", "Functions"),
        ("list_layers", "Layers"),
        ("list_event_source_mappings", "EventSourceMappings"),
        ("list_code_signing_configs", "CodeSigningConfigs"),
    ]
    return {name: [one for page in client.get_paginator(name).paginate() for one in page[key]] for name, key in lists}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored(server):
    client = server.client("lambda")
    before = stored(client)
    yield
    assert stored(client) == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bad_input_is_refused_as_the_model_says(wire, operation):
    wrong = []
    for what, values, expected in cases(operation):
        status, error, message = wire.send(operation, values)
        if expected is None:
            right = (status, error) == (400, "SerializationException")
        else:
            assert expected, f"{operation}: {what} is not wrong"
            count = f"{len(expected)} validation error{'s' if len(expected) > 1 else ''} detected: "
            right = (status, error, message) == (400, "ValidationException", count + "; ".join(expected))
        if not right:
            wrong.append(f"{what}\n  answered {status} {error}: {message[:600]}\n  expected {'; '.join(expected or ['SerializationException'])[:600]}")
    assert not wrong, f"{operation}:\n" + "\n".join(wrong)


def test_every_operation_has_cases():
    # What takes nothing cannot be given anything wrong.
    without = [operation for operation in OPERATIONS if not any(True for _ in cases(operation))]
    assert without == ["GetAccountSettings"]
    assert sum(1 for operation in OPERATIONS for _ in cases(operation)) > 500


@pytest.mark.parametrize("operation", sorted(MISSING_OPERATIONS))
def test_what_is_not_there_says_so(wire, operation):
    # What is left for later, and nothing else.
    assert re.search("DurableExecution|CapacityProvider", operation)
    status, error, message = wire.send(operation, valid(MODEL["operations"][operation]["input"]["shape"]))
    assert (status, error) == (501, "NotImplemented")
    assert message == f"Hearth does not implement lambda {operation} yet."
