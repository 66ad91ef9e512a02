// Hearth's runtime client for Node.js 18 and later: asks the Runtime API for invocations and calls the handler.
//
// AWS changed what handlers may be with Node.js 24: no callbacks, and no waiting for the event loop. Both behaviours
// are here, chosen by the runtime's identifier and not by the Node that happens to serve it.
//
// A stem (HEARTH_STEM=1) starts before anybody knows for which function: it loads everything, opens its connection and
// waits, on file descriptor 3, to be told.
//
// One file, in sections: every further module would be paid for at each start.

import fs from "node:fs";
import module, { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { Writable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import util from "node:util";

const require = createRequire(import.meta.url);
const nothing = () => {};

const API = "/2018-06-01/runtime/";
const STEM_FD = 3;
const READ_BYTES = 64 * 1024;
/** What is written in one go with the question for the next invocation. */
const BODY_SMALL = 16 * 1024;
/** Tells the service that nobody waits for the answer to a report before it has the next invocation. */
const THEN_NEXT = "Hearth-Then: next\r\n";
const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

// --- Errors ----------------------------------------------------------------------------------------------------------

class RuntimeError extends Error {
  constructor(kind, message) {
    super(message);
    // Not an own enumerable property: the error's JSON has only what AWS's has.
    Object.defineProperty(this, "name", { value: `Runtime.${kind}`, configurable: true, writable: true });
    Error.captureStackTrace(this, new.target);
  }
}

class UnhandledPromiseRejection extends RuntimeError {
  constructor(reason, promise) {
    super("UnhandledPromiseRejection", String(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

const UNEXPECTED_EXIT =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise " +
  "that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes";
const CALLBACKS_REMOVED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to " +
  "modify this function to use a supported handler signature to use Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

/** An error as the service is told of it. */
function report(error) {
  try {
    const looksLikeOne = ["name", "message", "stack"].every((key) => error?.[key] && typeof error[key] === "string");
    if (!util.types.isNativeError(error) && !(error instanceof Error) && !looksLikeOne) {
      return { errorType: typeof error, errorMessage: String(error), trace: [] };
    }
    const clean = (text) => text?.replaceAll("\x7F", "%7F");
    const trace = clean(error.stack)?.split("\n") ?? [];
    return { errorType: clean(error.name), errorMessage: clean(error.message), trace };
  } catch {
    const errorMessage =
      "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack";
    return { errorType: "handled", errorMessage, trace: [] };
  }
}

/** An error as it stands in a line of the log. */
function inLog(error) {
  const expand = (_key, value) => {
    if (!(value instanceof Error)) return value;
    const { name, message, code, stack } = value;
    const fields = Object.assign({ errorType: name, errorMessage: message, code }, value);
    if (typeof stack === "string") fields.stack = stack.split("\n");
    return fields;
  };
  try {
    return "\t" + JSON.stringify(error, expand);
  } catch {
    return "\t" + JSON.stringify(report(error));
  }
}

// --- Logs ------------------------------------------------------------------------------------------------------------

const REQUEST_ID = Symbol.for("aws.lambda.runtime.requestId");
const TENANT_ID = Symbol.for("aws.lambda.runtime.tenantId");
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/** Makes `console` write log lines. Returns how errors of the function are logged. */
function patchConsole(env) {
  const isJson = env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
  const write = logWriter(env, isJson);
  const lowest = Math.max(0, LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));
  LEVELS.forEach((level, index) => {
    const log = (message, ...rest) => {
      const now = new Date();
      const [id, tenant] = [globalThis[REQUEST_ID], globalThis[TENANT_ID]];
      const text = isJson
        ? jsonMessage(now, level, id, tenant, [message, ...rest])
        : `${now.toISOString()}\t${id}\t${level}\t${util.format(message, ...rest)}`;
      write(text, index, now);
    };
    // Whatever the level, what is fatal is said.
    console[level.toLowerCase()] = index >= lowest || level === "FATAL" ? log : () => {};
  });
  console.log = console.info;
  return (title, error) => {
    const asError = error instanceof Error ? error : new Error(error);
    if (isJson) console.error(asError);
    else console.error(title, inLog(asError));
  };
}

/** Where messages go: standard output, one line each, or frames on the descriptor that the platform gives. */
function logWriter(env, isJson) {
  const given = env._LAMBDA_TELEMETRY_LOG_FD;
  delete env._LAMBDA_TELEMETRY_LOG_FD;
  if (given === undefined) {
    return (text) => process.stdout.write(text.replaceAll("\n", "\r") + "\n");
  }
  const fd = Number.parseInt(given, 10);
  return (text, level, now) => {
    const message = Buffer.from(isJson ? text : text + "\n");
    const frame = Buffer.alloc(16 + message.length);
    frame.writeUInt32BE(((isJson ? 0xa55a0002 : 0xa55a0003) | ((level + 1) << 2)) >>> 0, 0);
    frame.writeUInt32BE(message.length, 4);
    frame.writeBigUInt64BE(BigInt(now.valueOf()) * 1000n, 8);
    message.copy(frame, 16);
    for (let sent = 0; sent < frame.length; ) sent += writeSome(fd, frame, sent);
  };
}

/** Writes what fits; a full pipe that does not block is waited for. */
function writeSome(fd, bytes, from) {
  try {
    return fs.writeSync(fd, bytes, from);
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    return 0;
  }
}

function jsonMessage(now, level, requestId, tenantId, values) {
  const line = { timestamp: now.toISOString(), level, requestId, ...(tenantId ? { tenantId } : {}) };
  const errorFields = (error) => ({
    errorType: error?.constructor?.name ?? "UnknownError",
    errorMessage: error.message,
    stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
  });
  if (values.length === 1) {
    const expand = (_key, value) => (value instanceof Error ? Object.assign(errorFields(value), value) : value);
    try {
      return JSON.stringify({ ...line, message: values[0] }, expand);
    } catch {
      return JSON.stringify({ ...line, message: util.format(values[0]) });
    }
  }
  const error = values.slice(1).find((value) => value instanceof Error);
  return JSON.stringify({ ...line, message: util.format(...values), ...(error ? errorFields(error) : {}) });
}

// --- The Runtime API -------------------------------------------------------------------------------------------------

/** Reads HTTP/1.1 responses out of the bytes of a connection. */
class ResponseReader {
  /** What has come of a response that is not whole, and how much of it there must be to go on. */
  #parts = [];
  #bytes = 0;
  #needed = 0;

  /** Takes bytes, which are the caller's again afterwards, and hands over each response that is whole. */
  push(bytes, handOver) {
    if (this.#parts.length > 0) {
      this.#keep(bytes);
      if (this.#bytes < this.#needed) return;
      bytes = Buffer.concat(this.#parts, this.#bytes);
      this.#parts = [];
      this.#bytes = 0;
    }
    let at = 0;
    while (at < bytes.length) {
      const response = this.#read(bytes, at);
      if (response === null) {
        this.#keep(bytes.subarray(at));
        this.#needed -= at;
        return;
      }
      at = response.end;
      // Only 1xx come before the response itself.
      if (response.status >= 200) handOver(response);
    }
  }

  #keep(bytes) {
    this.#parts.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
  }

  #read(bytes, at) {
    this.#needed = 0;
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end < 0) return null;
    const lines = bytes.utf8Slice(at, end).split("\r\n");
    const headers = {};
    for (let index = 1; index < lines.length; index++) {
      const line = lines[index];
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const status = Number.parseInt(lines[0].slice(9, 12), 10);
    const start = end + 4;
    if (headers["transfer-encoding"]?.toLowerCase().includes("chunked")) {
      return this.#readChunks(bytes, start, status, headers);
    }
    const after = start + Number.parseInt(headers["content-length"] ?? "0", 10);
    if (after > bytes.length) {
      this.#needed = after;
      return null;
    }
    return { status, headers, body: bytes.utf8Slice(start, after), end: after };
  }

  #readChunks(all, at, status, headers) {
    const chunks = [];
    for (;;) {
      const end = all.indexOf("\r\n", at);
      if (end < 0) return null;
      const size = Number.parseInt(all.toString("latin1", at, end), 16);
      at = end + 2;
      if (size === 0) {
        // Trailers, if any, end with an empty line as well.
        if (all.length < at + 2) return null;
        const done = all.toString("latin1", at, at + 2) === "\r\n" ? at : all.indexOf("\r\n\r\n", at) + 2;
        return done < at ? null : { status, headers, body: Buffer.concat(chunks).toString("utf8"), end: done + 2 };
      }
      if (all.length < at + size + 2) return null;
      chunks.push(all.subarray(at, at + size));
      at += size + 2;
    }
  }
}

/**
 * One kept-alive connection. Requests go out as they come, and responses come back in that order; a streamed request
 * has the connection for itself. It keeps the process alive only while a response is waited for.
 */
class Connection {
  #socket = null;
  #waiting = [];
  /** The streamed request that others wait for. */
  #stream = null;
  #next = null;
  #buffer = Buffer.allocUnsafe(READ_BYTES);

  constructor(address) {
    const colon = address.lastIndexOf(":");
    this.host = address.slice(0, colon);
    this.port = Number.parseInt(address.slice(colon + 1), 10);
    this.common = `Host: ${address}\r\nUser-Agent: hearth-nodejs/${process.versions.node}\r\n`;
    this.nextHead = this.#head("GET", "invocation/next");
  }

  /** Whether the process has nothing to do but wait for work. */
  get isIdle() {
    return this.#next !== null;
  }

  /** The next invocation, which may have been asked for already. */
  async next() {
    this.#next ??= this.#request(this.nextHead);
    const asked = this.#socket !== null;
    try {
      return await this.#next;
    } catch (error) {
      // A kept-alive connection may have been closed in between, and asking again is harmless.
      if (!asked) throw error;
      return await (this.#next = this.#request(this.nextHead));
    } finally {
      this.#next = null;
    }
  }

  /** Reports, and asks for the next invocation in the same breath: the process is woken once for both. */
  postThenNext(pathname, body) {
    if (this.#socket === null || this.#stream !== null || body.length > BODY_SMALL) return this.post(pathname, body);
    const head = this.#postHead(pathname, Buffer.byteLength(body), THEN_NEXT);
    const answered = this.#expect();
    this.#next = this.#expect();
    // Whoever asks for the next invocation is told.
    this.#next.catch(() => {});
    this.#socket.write(head + body + this.nextHead);
    return answered;
  }

  post(pathname, body, headers = "") {
    return this.#request(this.#postHead(pathname, Buffer.byteLength(body), headers), body);
  }

  /** Sends a head and lends the socket; `response` is what is answered to what is then written. */
  stream(pathname, headers) {
    const before = this.#stream;
    const socket = (async () => {
      await before;
      await this.open();
      return this.#socket;
    })();
    const response = socket.then((socket) => {
      const answered = this.#expect();
      socket.write(this.#head("POST", pathname, headers));
      return answered;
    });
    const ended = response.then(nothing, nothing).then(() => {
      if (this.#stream === ended) this.#stream = null;
    });
    this.#stream = ended;
    return { socket, response };
  }

  async open() {
    if (this.#socket !== null) return;
    const reader = new ResponseReader();
    const onResponse = (response) => {
      this.#waiting.shift()?.resolve(response);
      if (response.headers.connection?.toLowerCase() === "close") {
        this.#socket = null;
        socket.end();
      }
    };
    const callback = (length, buffer) => {
      reader.push(buffer.subarray(0, length), onResponse);
      if (this.#waiting.length === 0) socket.unref();
      return true;
    };
    const onread = { buffer: this.#buffer, callback };
    const socket = net.connect({ host: this.host, port: this.port, noDelay: true, onread });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const lost = (error) => {
      if (this.#socket === socket) this.#socket = null;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { reject } of waiting) reject(error ?? new Error("connection closed"));
    };
    socket.removeAllListeners("error");
    socket.on("error", lost).on("close", () => lost());
    socket.unref();
    this.#socket = socket;
  }

  #head(method, pathname, more = "") {
    return `${method} ${API}${pathname} HTTP/1.1\r\n${this.common}${more}\r\n`;
  }

  #postHead(pathname, length, more) {
    const type = "Content-Type: application/json\r\n";
    return this.#head("POST", pathname, `${type}Content-Length: ${length}\r\n${more}`);
  }

  async #request(head, body = "") {
    while (this.#stream !== null) await this.#stream;
    if (this.#socket === null) await this.open();
    const response = this.#expect();
    this.#socket.write(head + body);
    return response;
  }

  /** The response to the request that is about to be written. */
  #expect() {
    if (this.#waiting.length === 0) this.#socket.ref();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

const headerValue = (text) => String(text).replace(/[^ -~]/g, "?");

/** What is said about an invocation, or about a start that failed. */
class Client {
  constructor(address) {
    this.connection = new Connection(address);
  }

  async next() {
    const response = await this.connection.next();
    if (response.status !== 200) throw new Error(`Runtime API: next answered ${response.status}: ${response.body}`);
    return response;
  }

  /** Throws at once when the result cannot be written as JSON. */
  respond(id, result) {
    return this.connection.postThenNext(`invocation/${encodeURIComponent(id)}/response`, stringify(result));
  }

  fail(id, error) {
    return this.#postError(`invocation/${encodeURIComponent(id)}/error`, error);
  }

  failInit(error) {
    return this.#postError("init/error", error);
  }

  #postError(pathname, error) {
    const body = report(error);
    return this.connection.post(pathname, stringify(body), `${ERROR_TYPE}: ${headerValue(body.errorType)}\r\n`);
  }
}

function stringify(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    if (!modern) throw new Error("Unable to stringify response body");
    throw new RuntimeError("JSONStringifyError", "Unable to stringify response body");
  }
}

// --- Streamed responses ----------------------------------------------------------------------------------------------

/** What a streaming handler writes its response to. */
class ResponseStream extends Writable {
  #client;
  #id;
  #contentType = "application/octet-stream";
  #started = null;
  #failure = null;
  #abandon;

  constructor(client, id, highWaterMark) {
    super({ highWaterMark, decodeStrings: true });
    this.#client = client;
    this.#id = id;
    this.done = new Promise((resolve, reject) => {
      this.once("close", () => this.#started?.response.then(resolve, reject) ?? resolve());
    });
    this.abandoned = new Promise((_, reject) => (this.#abandon = reject));
    for (const promise of [this.done, this.abandoned]) promise.catch(() => {});
  }

  /** Nothing is left that could write to it. */
  abandon() {
    whenIdle(nothing);
    this.#abandon(new Error("Response stream is not finished."));
  }

  setContentType(contentType) {
    if (this.#started !== null) {
      throw new RuntimeError("InvalidStreamingOperation", "Cannot set content-type, too late.");
    }
    this.#contentType = contentType;
  }

  write(chunk, ...rest) {
    if (this.#started === null) {
      this.#start();
      this._onBeforeFirstWrite?.((first) => super.write(first));
    }
    const isBytes = typeof chunk === "string" || chunk instanceof Uint8Array;
    return super.write(isBytes ? chunk : JSON.stringify(chunk), ...rest);
  }

  /** Ends the response with an error. */
  fail(error) {
    this.#failure = report(error);
    return new Promise((resolve) => {
      if (this.writableEnded || this.destroyed) resolve();
      else this.end(resolve);
    });
  }

  #start() {
    const headers =
      "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n" +
      `Trailer: ${ERROR_TYPE}, ${ERROR_BODY}\r\nContent-Type: ${headerValue(this.#contentType)}\r\n`;
    const pathname = `invocation/${encodeURIComponent(this.#id)}/response`;
    this.#started = this.#client.connection.stream(pathname, headers);
    this.#started.response.catch((error) => this.destroy(error));
  }

  _write(chunk, _encoding, callback) {
    this._writev([{ chunk }], callback);
  }

  _writev(chunks, callback) {
    const parts = chunks
      .filter(({ chunk }) => chunk.length)
      .flatMap(({ chunk }) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
    this.#started.socket.then((socket) => socket.write(Buffer.concat(parts), callback));
  }

  _final(callback) {
    if (this.#started === null) this.#start();
    let end = "0\r\n";
    if (this.#failure !== null) {
      const body = Buffer.from(JSON.stringify(this.#failure)).toString("base64");
      end += `${ERROR_TYPE}: ${headerValue(this.#failure.errorType)}\r\n${ERROR_BODY}: ${body}\r\n`;
    }
    this.#started.socket.then((socket) => socket.write(end + "\r\n", callback));
  }
}

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

/** The global through which functions ask for streaming. */
const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (typeof options?.highWaterMark === "number") handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
    return handler;
  },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(prelude));
        // Eight zero bytes end the prelude.
        write(new Uint8Array(8));
      };
      return stream;
    },
  },
};

// --- The handler -----------------------------------------------------------------------------------------------------

async function loadHandler(taskRoot, name) {
  if (name.includes("..")) {
    const hint = "is not a valid handler name. Use absolute paths when specifying root directories in handler names.";
    throw new RuntimeError("MalformedHandlerName", `'${name}' ${hint}`);
  }
  const base = path.basename(name);
  const folder = name.substring(0, name.indexOf(base));
  const [, moduleName, property] = /^([^.]*)\.(.*)$/.exec(base) ?? [];
  if (moduleName === undefined) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  const loaded = await loadModule(taskRoot, folder, moduleName);
  const find = (object) => property.split(".").reduce((nested, key) => nested && nested[key], object);
  const handler = find(loaded) || (modern && find(loaded?.default));
  if (!handler) throw new RuntimeError("HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new RuntimeError("HandlerNotFound", `${name} is not a function`);
  return checkHandler(handler);
}

function checkHandler(handler) {
  const mode = handler[STREAMING];
  if (mode && mode !== "response") {
    throw new RuntimeError("MalformedStreamingHandler", "Only response streaming is supported.");
  }
  if (modern && !mode && handler.length >= 3) throw new RuntimeError("CallbackHandlerDeprecated", CALLBACKS_REMOVED);
  return handler;
}

async function loadModule(taskRoot, folder, name) {
  const file = path.resolve(taskRoot, folder, name);
  try {
    const found = modern ? await importFirst(file) : await requireOrImport(file);
    return found ?? require(require.resolve(name, { paths: [taskRoot, path.join(taskRoot, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const renamed = new RuntimeError("UserCodeSyntaxError", String(error));
      renamed.stack = error.stack;
      throw renamed;
    }
    if (error?.code === "MODULE_NOT_FOUND") throw new RuntimeError("ImportModuleError", String(error));
    throw error;
  }
}

/** Since Node.js 24, everything is imported. */
async function importFirst(file) {
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    if (isFile(file + extension)) return import(pathToFileURL(file + extension).href);
  }
  return undefined;
}

/** Before, CommonJS came first. */
async function requireOrImport(file) {
  if (isFile(file)) return require(file);
  if (isFile(file + ".js")) {
    return isInModulePackage(file) ? import(pathToFileURL(file + ".js").href) : require(file + ".js");
  }
  if (isFile(file + ".mjs")) return import(pathToFileURL(file + ".mjs").href);
  if (isFile(file + ".cjs")) return require(file + ".cjs");
  return undefined;
}

const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** Whether the nearest package.json says "type": "module". */
function isInModulePackage(file) {
  for (let folder = path.dirname(file); !folder.endsWith("/node_modules"); folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (isFile(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, "utf8"))?.type === "module";
      } catch (error) {
        console.warn(`${manifest} cannot be read, it will be ignored for ES module detection purposes.`, error);
        return false;
      }
    }
    if (folder === path.dirname(folder)) return false;
  }
  return false;
}

/** Lets `import` find packages on NODE_PATH, as it does on Lambda. */
function importFromNodePath(nodePath) {
  // What a folder above /var/task links to is found without help.
  const linked = new Set(["/var/node_modules", "/node_modules"].map(realPath));
  const folders = nodePath
    .split(":")
    .filter((folder) => folder.endsWith("/node_modules"))
    .filter((folder) => realPath(folder) !== null && !linked.has(realPath(folder)));
  if (folders.length === 0) return;
  const parents = folders.map((folder) => pathToFileURL(path.join(path.dirname(folder), "_.mjs")).href);
  if (module.registerHooks) {
    module.registerHooks({
      resolve(specifier, context, nextResolve) {
        try {
          return nextResolve(specifier, context);
        } catch (error) {
          if (error?.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^[a-z]+:/.test(specifier)) throw error;
          for (const parentURL of parents) {
            try {
              return nextResolve(specifier, { ...context, parentURL });
            } catch {
              // The next folder may have it.
            }
          }
          throw error;
        }
      },
    });
  } else if (module.register) {
    // Older: hooks live in a thread of their own, as a module.
    const hook = `export async function resolve(specifier, context, nextResolve) {
      try { return await nextResolve(specifier, context); } catch (error) {
        if (error?.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^[a-z]+:/.test(specifier)) throw error;
        for (const parentURL of ${JSON.stringify(parents)}) {
          try { return await nextResolve(specifier, { ...context, parentURL }); } catch {}
        }
        throw error;
      }
    }`;
    module.register(`data:text/javascript,${encodeURIComponent(hook)}`);
  }
}

function realPath(file) {
  try {
    return fs.realpathSync(file);
  } catch {
    return null;
  }
}

// --- Invocations -----------------------------------------------------------------------------------------------------

let fixed;

/** What all contexts of a function have in common. */
const fixedContext = ({ env }) => ({
  functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
  functionName: env.AWS_LAMBDA_FUNCTION_NAME,
  memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
  logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
  logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
});

/** What handlers get as their context, but for the means to answer. */
function makeContext(headers) {
  const { functionVersion, functionName, memoryLimitInMB, logGroupName, logStreamName } = (fixed ??=
    fixedContext(process));
  const deadline = Number.parseInt(headers["lambda-runtime-deadline-ms"], 10);
  return {
    functionVersion,
    functionName,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
    clientContext: parseHeader(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: parseHeader(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function parseHeader(text, name) {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

function enterInvocation(headers) {
  globalThis[REQUEST_ID] = headers["lambda-runtime-aws-request-id"];
  globalThis[TENANT_ID] = headers["lambda-runtime-aws-tenant-id"];
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  return globalThis[REQUEST_ID];
}

const isPromise = (value) => typeof value?.then === "function";

// Called when the event loop is empty. AWS's client keeps it under this name, and monitoring agents look there.
const BEFORE_EXIT = Symbol.for("aws.lambda.beforeExit");
const whenIdle = (listener) => (globalThis[BEFORE_EXIT] = listener);

/** Handlers as they were up to Node.js 22: callbacks, promises, and an event loop that may be waited for. */
class ClassicLoop {
  constructor(client, handler, logError, onCrash) {
    Object.assign(this, { client, handler, logError, onCrash });
    this.serveOne = handler[STREAMING] ? this.serveStreaming : this.serveBuffered;
  }

  schedule = () => {
    setImmediate(() => this.serveOne().catch((error) => this.onCrash.leave(error)));
  };

  async serveBuffered() {
    const { headers, body } = await this.client.next();
    const id = enterInvocation(headers);
    this.onCrash.report = (error) => this.client.fail(id, error);
    const { callback, context, markCompleted } = this.answers(id);
    whenIdle(() => {
      whenIdle(nothing);
      markCompleted();
      this.after(this.client.respond(id, null));
    });
    try {
      Object.assign(context, makeContext(headers));
      const result = this.handler(JSON.parse(body), context, callback);
      if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      callback(error);
    }
  }

  after(reported) {
    reported.then(this.schedule, (error) => this.onCrash.leave(error));
  }

  /** The means to answer: the first use of one of them counts. */
  answers(id) {
    let waits = true;
    let completed = false;
    let finished = false;
    const fail = (error) => {
      this.logError("Invoke Error", error);
      this.after(this.client.fail(id, error));
    };
    const complete = (result) => {
      if (completed) {
        console.error("Invocation has already been reported as done. Cannot call complete more than once per invocation.");
        return;
      }
      completed = true;
      this.after(this.client.respond(id, result));
    };
    const once = (answer) => (...values) => {
      if (finished) return;
      answer(...values);
      finished = true;
    };
    const done = (error, result) => {
      whenIdle(nothing);
      if (error !== undefined && error !== null) fail(error);
      else complete(result);
    };
    const callback = (error, result) => {
      if ((error !== undefined && error !== null) || !waits) return done(error, result);
      whenIdle(() => {
        whenIdle(nothing);
        setImmediate(() => complete(result));
      });
    };
    const context = {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
      succeed: once((result) => done(null, result)),
      fail: once((error) => done(error ?? "handled", null)),
      done: once(done),
    };
    return { callback: once(callback), context, markCompleted: () => (completed = true) };
  }

  async serveStreaming() {
    const { headers, body } = await this.client.next();
    const id = enterInvocation(headers);
    this.onCrash.report = (error) => this.client.fail(id, error);
    let waits = true;
    const context = {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
    };
    const stream = new ResponseStream(this.client, id, this.handler[HIGH_WATER_MARK]);
    whenIdle(() => stream.abandon());
    await runStreaming(this, stream, () => Object.assign(context, makeContext(headers)), body);
    whenIdle(nothing);
    if (!waits) return this.schedule();
    whenIdle(() => {
      whenIdle(nothing);
      this.schedule();
    });
  }
}

/** Runs a streaming handler to its end. */
async function runStreaming(loop, stream, context, body) {
  try {
    const result = loop.handler(JSON.parse(body), stream, context());
    if (!isPromise(result)) throw new Error("Streaming does not support non-async handlers.");
    const returned = Promise.race([result, stream.abandoned]);
    if ((await returned) !== undefined) console.warn("Streaming handlers ignore return values.");
    // Something may still be piped into it.
    await Promise.race([stream.done, stream.abandoned]);
  } catch (error) {
    loop.logError("Invoke Error", error);
    await stream.fail(error);
    await stream.done;
  }
}

/** Handlers since Node.js 24: what they return, awaited, is the response. */
class ModernLoop {
  constructor(client, handler, logError, onCrash) {
    Object.assign(this, { client, handler, logError, onCrash });
  }

  schedule() {
    this.serve().catch((error) => this.onCrash.leave(error));
  }

  async serve() {
    for (;;) {
      const { headers, body } = await this.client.next();
      const id = enterInvocation(headers);
      whenIdle(() => this.onCrash.neverSettled((error) => this.client.fail(id, error)));
      if (this.handler[STREAMING]) {
        const stream = new ResponseStream(this.client, id, this.handler[HIGH_WATER_MARK]);
        whenIdle(() => stream.abandon());
        await runStreaming(this, stream, () => makeContext(headers), body);
      } else {
        await this.serveBuffered(id, headers, body);
      }
      whenIdle(nothing);
    }
  }

  async serveBuffered(id, headers, body) {
    let answered;
    try {
      const result = await this.handler(JSON.parse(body), makeContext(headers));
      await new Promise(setImmediate);
      answered = this.client.respond(id, result);
    } catch (error) {
      await new Promise(setImmediate);
      this.logError("Invoke Error", error);
      answered = this.client.fail(id, error);
    }
    await answered;
  }
}

/** How the process ends when it must. */
class Crash {
  constructor(client, logError) {
    this.client = client;
    this.logError = logError;
    this.report = (error) => client.failInit(error);
  }

  /** Classic runtimes tell the service of what nobody caught, and exit with AWS's codes. */
  watch() {
    process.on("uncaughtException", (error) => this.end("Uncaught Exception", error, 129));
    process.on("unhandledRejection", (reason, promise) => {
      this.end("Unhandled Promise Rejection", new UnhandledPromiseRejection(reason, promise), 128);
    });
  }

  end(title, error, code) {
    this.logError(title, error);
    // Between invocations there is nobody to tell, and the connection is taken by the question for the next one.
    if (this.client.connection.isIdle) process.exit(code);
    this.report(error).then(
      () => process.exit(code),
      () => process.exit(code),
    );
  }

  neverSettled(report) {
    whenIdle(nothing);
    const error = new RuntimeError("NodeJsExit", UNEXPECTED_EXIT);
    this.report = report;
    // 13 is Node's own code for a top-level await that never settles.
    this.end("Unexpected Exit", error, 13);
  }

  /** The Runtime API is gone, or answered nonsense: nothing is left to do. */
  leave(error) {
    process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  }
}

// --- Starting --------------------------------------------------------------------------------------------------------

/** Does everything that does not depend on the function, says so, and waits for the function. */
async function waitToBeSpecialised(connection) {
  await rehearse();
  await connection.open();
  const control = new net.Socket({ fd: STEM_FD, readable: true, writable: true });
  control.write("R");
  const { env, handler } = await readMessage(control);
  control.destroy();
  Object.assign(process.env, env, { _HANDLER: handler });
  // NODE_PATH was read when Node started, and the folders on it are new.
  module._initPaths();
}

/**
 * Loads functions and has each serve one invocation, against a Runtime API of its own: what V8 compiles when it is first
 * called, and Node loads when it is first used, is most of a cold start.
 */
async function rehearse() {
  const logError = patchConsole({});
  importFromNodePath("");
  const folder = path.dirname(fileURLToPath(import.meta.url));
  for (const [name, Loop] of [["rehearsal-commonjs", ClassicLoop], ["rehearsal", ClassicLoop], ["rehearsal", ModernLoop]]) {
    modern = Loop === ModernLoop;
    const handler = await loadHandler(folder, name + ".handler");
    const client = new Client(await playRuntimeApi());
    // It ends when the Runtime API is gone.
    await new Promise((leave) => new Loop(client, handler, logError, { leave }).schedule());
  }
  whenIdle(nothing);
  for (const file of Object.keys(require.cache)) delete require.cache[file];
  for (const name of [REQUEST_ID, TENANT_ID]) delete globalThis[name];
  delete process.env._X_AMZN_TRACE_ID;
  fixed = undefined;
}

/** A Runtime API with one connection, one invocation and one answer; its address. */
async function playRuntimeApi() {
  const invocation =
    "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r\r\nlambda-runtime-trace-id: t\r\ncontent-length: 2\r\n\r\n{}";
  const server = net.createServer((socket) => {
    server.close();
    socket.once("data", () => {
      socket.write(invocation);
      socket.once("data", () => socket.end("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"));
    });
    socket.on("error", nothing);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return `127.0.0.1:${server.address().port}`;
}

function readMessage(control) {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    control.on("data", (more) => {
      bytes = Buffer.concat([bytes, more]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE(0)) return;
      resolve(JSON.parse(bytes.toString("utf8", 4, 4 + bytes.readUInt32BE(0))));
    });
    // The server gave this stem up.
    control.on("end", () => process.exit(0)).on("error", () => process.exit(0));
  });
}

/** Whether the runtime is Node.js 24 or later; known when the function is. */
let modern = false;
const isStem = process.env.HEARTH_STEM === "1";
delete process.env.HEARTH_STEM;
const client = new Client(process.env.AWS_LAMBDA_RUNTIME_API);
if (isStem) await waitToBeSpecialised(client.connection);

modern = Number.parseInt(/^AWS_Lambda_nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "")?.[1] ?? "0", 10) >= 24;
process.chdir(process.env.LAMBDA_TASK_ROOT);
const logError = patchConsole(process.env);
const crash = new Crash(client, logError);
if (!modern) crash.watch();
if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA ?? "")) globalThis.awslambda = awslambda;
importFromNodePath(process.env.NODE_PATH ?? "");

// A module that awaits what never settles would end the process without a word.
whenIdle(() => crash.neverSettled((error) => client.failInit(error)));
process.on("beforeExit", () => globalThis[BEFORE_EXIT]());
try {
  const handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER ?? "");
  whenIdle(nothing);
  const Loop = modern ? ModernLoop : ClassicLoop;
  new Loop(client, handler, logError, crash).schedule();
} catch (error) {
  crash.end(modern ? "Init Error" : "Uncaught Exception", error, modern ? 1 : 129);
}
