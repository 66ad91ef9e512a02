"""Hearth's runtime client for Python 3.9 and later: asks the Runtime API for invocations and calls the handler.

Imports are the bill. Starting Python takes 8 ms and importing an HTTP client 30 more, so the Runtime API is spoken on
a bare socket, and `logging` and `traceback` are imported when they are first needed. A stem (HEARTH_STEM=1) has time:
it imports all of them and waits, on file descriptor 3, to be told whose function it is. One file, in sections, for the
same reason.
"""

import importlib
import json
import os
import site
import sys
import time

import _socket

API = "/2018-06-01/runtime/"
USER_AGENT = "hearth-python/%d.%d.%d" % sys.version_info[:3]
READ_BYTES = 64 * 1024
# Tells the service that nobody waits for the answer to a report before it has the next invocation.
THEN_NEXT = "Hearth-Then: next\r\n"
STEM_FD = 3


class Fault(Exception):
    """An error of the function that this client found, under the name AWS gives it."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


def main():
    stem = os.environ.pop("HEARTH_STEM", None) == "1"
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    if stem:
        wait_to_be_specialised(connection)
    set_up_process()
    sink = Sink.of_environment()
    current = Current()
    set_up_logging(sink, current, now=stem)
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        fail_init(connection, sink, error)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        be_restored(connection, sink)
    codec = Codec()
    headers, body = connection.next()
    while True:
        headers, body = serve_one(connection, sink, current, codec, handler, headers, body)


def serve_one(connection, sink, current, codec, handler, headers, body):
    """Runs one invocation; gives the next."""
    request_id = headers.get("lambda-runtime-aws-request-id", "")
    current.request_id = request_id
    current.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
    forward_trace_id(headers.get("lambda-runtime-trace-id"))
    failure = None
    try:
        context = make_context(current.fixed, headers)
        event = codec.decode(body, headers.get("content-type"))
        del body
        content_type, answer = codec.encode(handler(event, context))
    except Fault as fault:
        failure = describe(fault, fault.kind, fault.trace, request_id)
    except Exception as error:
        failure = describe(error, type(error).__name__, trace_of(error), request_id)
    if failure is not None:
        sink.error(failure)
    sys.stdout.flush()
    sys.stderr.flush()
    path = "invocation/" + request_id
    if failure is None:
        return connection.report_and_next(path + "/response", answer, content_type)
    return connection.report_and_next(path + "/error", codec.text(failure).encode(), error_type=failure["errorType"])


# --- Starting -------------------------------------------------------------------------------------------------------


def wait_to_be_specialised(connection):
    """Does everything that does not depend on the function, says so, and waits for the function."""
    rehearse()
    connection.open()
    os.write(STEM_FD, b"R")
    length = int.from_bytes(read_exactly(STEM_FD, 4), "big")
    message = json.loads(read_exactly(STEM_FD, length))
    os.close(STEM_FD)
    os.environ.update(message["env"])
    os.environ["_HANDLER"] = message["handler"]
    time.tzset()


def rehearse():
    """Once what the first invocation will do. The first time Python compiles, for one, takes 2 ms of page faults."""
    import logging
    import traceback  # noqa: F401

    import hearth_rehearsal

    root = logging.getLogger()
    current = Current()
    configure_root_logger(logging, Sink(None, False, ""), current)
    root.handlers.clear()
    # Known, it does not go onto the path.
    site.addsitedir(os.devnull, {os.devnull})
    headers = {"lambda-runtime-aws-request-id": "", "lambda-runtime-deadline-ms": "0"}
    codec = Codec()
    context = make_context(current.fixed, headers)
    codec.encode(hearth_rehearsal.handler(codec.decode(b'{"a": [1, "b"]}', None), context))
    del sys.modules["hearth_rehearsal"]


def read_exactly(fd, count):
    parts = []
    while count:
        part = os.read(fd, count)
        if not part:
            # The server gave this stem up.
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def set_up_process():
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    set_up_path()
    # Started with -S, so that the host's site-packages stay out; these two are what else people know it for.
    site.setquit()
    site.setcopyright()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)
    sys.argv = [os.path.join(os.environ["LAMBDA_RUNTIME_DIR"], "bootstrap.py")]


def set_up_path():
    """The function first, then its layers, then the SDK of the runtime, then the standard library; as on Lambda."""
    task, runtime = os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"]
    layers = os.environ.get("HEARTH_LAYERS_ROOT", "/opt")
    version = "python%d.%d" % sys.version_info[:2]
    layer = [os.path.join(layers, "python", "lib", version, "site-packages"), os.path.join(layers, "python")]
    sdk = os.path.join(runtime, "python")
    wanted = os.environ.get("PYTHONPATH", runtime)
    own = [] if wanted == runtime else wanted.split(os.pathsep)
    # A PYTHONPATH of the user's own takes the place of the layers' directories, on Lambda too.
    before = [task] + (own or layer) + [runtime, sdk]
    library = [entry for entry in sys.path if entry not in before and entry]
    sys.path[:] = list(dict.fromkeys(before)) + library
    importlib.invalidate_caches()
    known = set(sys.path)
    for directory in (task, *layer):
        # For .pth files: namespace packages and editable installs are made of them.
        if os.path.isdir(directory):
            site.addsitedir(directory, known)
    os.environ.setdefault("PYTHONPATH", runtime)
    sys.path_importer_cache.clear()


def load_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, reason))
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        message = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message) from None


def be_restored(connection, sink):
    """SnapStart: the function's hooks, and between them the call that is answered when a request wants this environment."""
    # Whoever has not imported it has registered nothing.
    hooks = sys.modules.get("snapshot_restore_py")
    try:
        for hook, args, kwargs in reversed(list(hooks.get_before_snapshot() if hooks else ())):
            hook(*args, **kwargs)
    except Exception as error:
        fail_init(connection, sink, error, "Runtime.BeforeSnapshotError")
    sys.stdout.flush()
    connection.ask("restore/next")
    try:
        for hook, args, kwargs in list(hooks.get_after_restore() if hooks else ()):
            hook(*args, **kwargs)
    except Exception as error:
        fail_init(connection, sink, error, "Runtime.AfterRestoreError", "restore/error")


def fail_init(connection, sink, error, error_type=None, path="init/error"):
    if isinstance(error, Fault):
        failure = describe(error, error.kind, error.trace, "")
    else:
        failure = describe(error, type(error).__name__, trace_of(error), "")
    sink.error(failure)
    sys.stdout.flush()
    error_type = error_type or failure["errorType"]
    connection.report(path, Codec().text(failure).encode(), error_type=error_type)
    sys.exit(1)


# --- The Runtime API ------------------------------------------------------------------------------------------------


class Connection:
    """HTTP/1.1 to the Runtime API on one kept-alive connection."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.common = "Host: %s\r\nUser-Agent: %s\r\n" % (address, USER_AGENT)
        self.next_head = self.ask_head("invocation/next")
        self.socket = None
        self.buffered = b""

    def open(self):
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.socket.connect(self.address)
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        # Programs that the function starts must not hold the connection open.
        os.set_inheritable(self.socket.fileno(), False)
        self.buffered = b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def next(self):
        """Waits for an invocation."""
        return self.request("GET", "invocation/next", self.next_head)

    def ask(self, path):
        return self.request("GET", path, self.ask_head(path))

    def ask_head(self, path):
        return ("GET %s%s HTTP/1.1\r\n%s\r\n" % (API, path, self.common)).encode("ascii")

    def report(self, path, body, content_type="application/json", error_type=None):
        self.request("POST", path, self.report_head(path, body, content_type, error_type), body)

    def report_and_next(self, path, body, content_type="application/json", error_type=None):
        """Reports and asks for the next invocation in one go, and so is woken once: by the invocation."""
        if self.socket is None or len(body) >= READ_BYTES:
            self.report(path, body, content_type, error_type)
            return self.next()
        self.socket.sendall(self.report_head(path, body, content_type, error_type, THEN_NEXT) + body + self.next_head)
        self.check("POST", path, *self.read_answer())
        if self.socket is None:
            return self.next()
        try:
            status, headers, answer = self.read_answer()
        except (OSError, EOFError):
            self.close()
            return self.next()
        self.check("GET", "invocation/next", status, headers, answer)
        return headers, answer

    def report_head(self, path, body, content_type, error_type, more=""):
        if error_type is not None:
            more += "Lambda-Runtime-Function-Error-Type: %s\r\n" % header_value(error_type)
        head = "POST %s%s HTTP/1.1\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
        return (head % (API, path, self.common, content_type, len(body), more)).encode("ascii")

    def request(self, method, path, head, body=b""):
        reused = self.socket is not None
        try:
            status, headers, answer = self.exchange(head, body)
        except (OSError, EOFError):
            # A server may close a kept-alive connection at any time. Asking for work again is harmless; reporting
            # again might not be, and was on the connection that has just been used.
            if not reused or method != "GET":
                raise
            self.close()
            status, headers, answer = self.exchange(head, body)
        self.check(method, path, status, headers, answer)
        return headers, answer

    def check(self, method, path, status, _headers, answer):
        # The answer to a report is of no use to the function: its response may have been too large, for example, and
        # the service has already said so to the caller.
        if status >= 500 or (method == "GET" and status != 200):
            sys.exit("Runtime API: %s %s answered %d: %s" % (method, path, status, answer[:1024].decode(errors="replace")))

    def exchange(self, head, body):
        if self.socket is None:
            self.open()
        if len(body) < READ_BYTES:
            self.socket.sendall(head + body)
        else:
            self.socket.sendall(head)
            self.socket.sendall(body)
        return self.read_answer()

    def read_answer(self):
        status, headers = self.read_head()
        while 100 <= status < 200:
            status, headers = self.read_head()
        answer = self.read_body(headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, answer

    def read_head(self):
        data = self.buffered
        while b"\r\n\r\n" not in data:
            data += self.receive()
        head, _, self.buffered = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(first[9:12]), headers

    def read_body(self, headers):
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self.read_chunks()
        length = headers.get("content-length")
        if length is not None:
            return self.take(int(length))
        if headers.get("connection", "").lower() != "close":
            return b""
        parts = [self.buffered]
        while True:
            part = self.socket.recv(READ_BYTES)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def read_chunks(self):
        parts = []
        while True:
            size = int(self.line().split(b";")[0], 16)
            if size == 0:
                while self.line():
                    pass
                return b"".join(parts)
            parts.append(self.take(size))
            self.line()

    def line(self):
        while b"\r\n" not in self.buffered:
            self.buffered += self.receive()
        line, _, self.buffered = self.buffered.partition(b"\r\n")
        return line

    def take(self, count):
        if len(self.buffered) >= count:
            taken, self.buffered = self.buffered[:count], self.buffered[count:]
            return taken
        taken = bytearray(count)
        filled = len(self.buffered)
        taken[:filled] = self.buffered
        self.buffered = b""
        view = memoryview(taken)
        while filled < count:
            received = self.socket.recv_into(view[filled:])
            if not received:
                raise EOFError("connection closed in the middle of a body")
            filled += received
        return bytes(taken)

    def receive(self):
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise EOFError("connection closed")
        return data


def header_value(text):
    return "".join(c if " " <= c <= "~" else "?" for c in text)


# --- Events and answers ---------------------------------------------------------------------------------------------


class Codec:
    """Events and answers as JSON, written as AWS writes them."""

    # Before 3.12 AWS escapes what is not ASCII.
    ESCAPING = {"AWS_Lambda_python%s" % v for v in ("3.8", "3.9", "3.10", "3.11")}

    def __init__(self):
        escape = os.environ.get("AWS_EXECUTION_ENV") in self.ESCAPING
        self.numbers = []
        # Stands for a number that json cannot write, until the text is made. Nobody can guess it.
        self.mark = os.urandom(16).hex()
        self.encoder = json.JSONEncoder(ensure_ascii=escape, default=self.default)

    def decode(self, body, content_type):
        if content_type is not None and content_type != "application/json":
            return body
        try:
            return json.loads(body)
        except Exception as error:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None

    def encode(self, answer):
        if isinstance(answer, bytes):
            return "application/unknown", answer
        try:
            return "application/json", self.text(answer).encode()
        except Exception as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None

    def text(self, value):
        self.numbers.clear()
        text = self.encoder.encode(value)
        for index, number in enumerate(self.numbers):
            text = text.replace('"%s.%d"' % (self.mark, index), number, 1)
        return text

    def default(self, value):
        if isinstance(value, bytes):
            return value.decode()
        # Nobody has a Decimal who has not imported decimal.
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            self.numbers.append("NaN" if value.is_nan() else str(value))
            return "%s.%d" % (self.mark, len(self.numbers) - 1)
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def describe(error, kind, trace, request_id):
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": trace}


def trace_of(error):
    """The trace from the function's own first frame on."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = main.__code__.co_filename
    first = next((index for index, frame in enumerate(frames) if frame.filename != own), 0)
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames[first:]])


def forward_trace_id(trace_id):
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


# --- The context ----------------------------------------------------------------------------------------------------


class Fields:
    """A value with a fixed set of fields, absent ones being None."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (type(self).__name__, fields)


class CognitoIdentity(Fields):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Fields):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Fields):
    __slots__ = ("custom", "env", "client")


class LambdaContext:
    """What handlers get as their second argument."""

    def __init__(self, fixed, headers, client_context, identity):
        self.__dict__.update(fixed)
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.client_context = client_context
        self.identity = identity
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        logging = sys.modules.get("logging")
        for handler in logging.getLogger().handlers if logging else ():
            if hasattr(handler, "log_sink"):
                handler.log_sink.log(str(message))
                return
        sys.stdout.write(str(message))

    def __repr__(self):
        names = (
            "aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb",
            "function_version", "invoked_function_arn", "client_context", "identity", "tenant_id",
        )  # fmt: skip
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in names)
        return "%s([%s])" % (type(self).__name__, fields)


def fixed_context():
    """What all invocations of a function have in common."""
    variable = os.environ.get
    return {
        "log_group_name": variable("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": variable("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": variable("AWS_LAMBDA_FUNCTION_NAME"),
        "memory_limit_in_mb": variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "function_version": variable("AWS_LAMBDA_FUNCTION_VERSION"),
    }


def make_context(fixed, headers):
    client_context = None
    values = json_header(headers.get("lambda-runtime-client-context"), "Client Context")
    if values is not None:
        client_context = ClientContext(values)
        if client_context.client is not None:
            client_context.client = Client(client_context.client)
    cognito = json_header(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
    identity = CognitoIdentity({})
    identity.cognito_identity_id = cognito.get("cognitoIdentityId")
    identity.cognito_identity_pool_id = cognito.get("cognitoIdentityPoolId")
    return LambdaContext(fixed, headers, client_context, identity)


def json_header(text, name):
    if not text:
        return None
    try:
        return json.loads(text)
    except Exception as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)) from None


# --- Logs -----------------------------------------------------------------------------------------------------------


class Current:
    """The invocation that log lines belong to."""

    request_id = ""
    tenant_id = None

    def __init__(self):
        self.fixed = fixed_context()


class Sink:
    """Where log messages go: standard output, or framed on the descriptor the platform gives, so that a message of
    many lines stays one."""

    # A frame's first four bytes: text or JSON, and the level.
    TEXT, JSON = 0xA55A0003, 0xA55A0002
    LEVELS = {0: 0, 10: 8, 20: 12, 30: 16, 40: 20, 50: 24}

    def __init__(self, fd, is_json, level):
        self.fd = fd
        self.is_json = is_json
        self.level = level

    @classmethod
    def of_environment(cls):
        fd = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
        is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
        if fd is not None:
            os.set_blocking(int(fd), True)
        return cls(None if fd is None else int(fd), is_json, "DEBUG" if level == "TRACE" else level)

    def log(self, message, level=0):
        if self.fd is None:
            sys.stdout.write(message)
            return
        message = message.encode("utf-8", "surrogatepass")
        kind = (self.JSON if self.is_json else self.TEXT) | self.LEVELS.get(level, 0)
        frame = kind.to_bytes(4, "big") + len(message).to_bytes(4, "big")
        frame += (time.time_ns() // 1000).to_bytes(8, "big") + message
        # The descriptor may be standard output's: what was printed before comes before.
        sys.stdout.flush()
        while frame:
            frame = frame[os.write(self.fd, frame) :]

    def error(self, failure):
        if self.is_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.log(Codec().text({"timestamp": stamp, "level": "ERROR", **failure}) + "\n", 40)
            return
        lines = ["[ERROR] %s: %s" % (failure["errorType"], failure["errorMessage"])]
        if not failure["errorMessage"]:
            lines = ["[ERROR] %s" % failure["errorType"]]
        lines.append("Traceback (most recent call last):")
        for element in failure["stackTrace"]:
            lines += [keep_indent(line) for line in element.splitlines()] or [""]
        if self.fd is None:
            # One line as far as readers of lines can tell, and many to whoever looks at it.
            self.log("\r".join(lines) + "\n")
        else:
            self.log("\n".join(lines), 40)


def keep_indent(line):
    """Log viewers swallow leading spaces, but not no-break ones."""
    text = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(text)) + text


def set_up_logging(sink, current, now):
    """Configures the root logger: now, or when somebody imports logging, which takes 9 ms."""
    if now or "logging" in sys.modules:
        configure_root_logger(sys.modules["logging"], sink, current)
    else:
        sys.meta_path.insert(0, WhenLoggingIsImported(sink, current))


class WhenLoggingIsImported:
    def __init__(self, sink, current):
        self.sink = sink
        self.current = current

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_configure(module):
            load(module)
            # A logging of the function's own is its own business.
            if hasattr(module, "getLogger") and hasattr(module, "Handler"):
                configure_root_logger(module, self.sink, self.current)

        spec.loader.exec_module = load_and_configure
        return spec


def configure_root_logger(logging, sink, current):
    class Filter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = current.request_id
            record.tenant_id = current.tenant_id
            return True

    class LambdaLoggerHandler(logging.Handler):
        log_sink = sink

        def emit(self, record):
            message = self.format(record)
            level = min(50, max(0, record.levelno)) // 10 * 10 if sink.is_json or sink.level else 0
            sink.log(message, level)

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            return json_record(self, record)

    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    if sink.is_json:
        handler.setFormatter(JsonFormatter())
    else:
        form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(Filter())
    root = logging.getLogger()
    if isinstance(logging.getLevelName(sink.level), int):
        root.setLevel(sink.level)
    root.addHandler(handler)


# What every record has; the rest was given by the function as `extra`.
PLAIN = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created"
    " msecs relativeCreated thread threadName processName process taskName aws_request_id tenant_id".split()
)


def json_record(formatter, record):
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    fields = {
        "timestamp": "%s.%03dZ" % (moment, record.msecs),
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
    }
    if record.exc_info:
        import traceback

        kind, error, trace = record.exc_info
        fields["stackTrace"] = traceback.format_tb(trace)
        fields["errorType"] = kind.__name__ if kind else None
        fields["errorMessage"] = str(error)
    fields["requestId"] = record.aws_request_id
    if record.exc_info:
        fields["location"] = "%s:%s:%d" % (record.pathname, record.funcName, record.lineno)
    fields["tenantId"] = record.tenant_id
    for name, value in record.__dict__.items():
        if name not in PLAIN:
            fields.setdefault(name, value)
    fields = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(fields, ensure_ascii=False, default=str) + "\n"
