package hearth.runtime;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Hearth's runtime client for Java 11 and later: asks the Runtime API for invocations and calls the handler.
 *
 * <p>Classes that are loaded are the bill: an HTTP client of the JDK's costs half a second, so the Runtime API is spoken
 * on a bare socket. The interfaces that handlers implement are not part of this client: they come out of the function's
 * own package, and are met through reflection and proxies.
 */
public final class Main {
    private static final String TRACE_PROPERTY = "com.amazonaws.xray.traceHeader";
    private static final String PACKAGE = "hearth.runtime.";

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Log log = Log.ofEnvironment();
        // UTF-8 whatever the locale, and each line at once: a frozen process writes nothing.
        System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8"));
        System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, "UTF-8"));
        RuntimeApi api = new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
        FunctionLoader loader = FunctionLoader.ofEnvironment();
        Thread.currentThread().setContextClassLoader(loader);
        Contexts contexts = new Contexts(loader, log);
        Handler handler;
        try {
            handler = Handlers.load(System.getenv("_HANDLER"), loader);
        } catch (Fault fault) {
            if (fault.fatal) {
                log.error(fault.reportable(), "");
                api.post("init/error", Json.bytes(fault.toJson()), "Runtime.BadFunctionCode");
                System.exit(1);
            }
            // As on AWS it is the invocations' error: the environment starts.
            handler = (input, output, context) -> {
                throw fault;
            };
        }
        if ("snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
            SnapStart.beRestored(api, log);
        }
        while (serveOne(api, contexts, log, handler)) {}
        System.exit(1);
    }

    /** Whether another one can be served after it. */
    private static boolean serveOne(RuntimeApi api, Contexts contexts, Log log, Handler handler) throws Exception {
        RuntimeApi.Answer invocation = api.next();
        String id = invocation.headers.getOrDefault("lambda-runtime-aws-request-id", "");
        String trace = invocation.headers.get("lambda-runtime-trace-id");
        if (trace == null) {
            System.clearProperty(TRACE_PROPERTY);
        } else {
            System.setProperty(TRACE_PROPERTY, trace);
        }
        log.requestId = id;
        String path = "invocation/" + id;
        try {
            ByteArrayOutputStream output = new ByteArrayOutputStream(1024);
            handler.handle(invocation.body, output, contexts.of(invocation.headers));
            System.out.flush();
            api.post(path + "/response", output.toByteArray(), null);
            // It may have been set by the function, and the next invocation is not to find it.
            Thread.interrupted();
            return true;
        } catch (Fault fault) {
            report(api, path, fault.toJson(), "Runtime.BadFunctionCode", log, fault.reportable(), id);
            return !fault.fatal;
        } catch (RuntimeApi.Failed failed) {
            throw failed;
        } catch (Throwable thrown) {
            cut(thrown, 0);
            String text = Fault.of(thrown, false).reportable();
            report(api, path, describe(thrown, 0), "Runtime.UserException", log, text, id);
            return !(thrown instanceof VirtualMachineError) && !(thrown instanceof IOError);
        }
    }

    private static void report(
            RuntimeApi api, String path, Map<String, Object> error, String type, Log log, String text, String id)
            throws Exception {
        log.error(text, id);
        System.out.flush();
        api.post(path + "/error", Json.bytes(error), type);
    }

    static Map<String, Object> describe(Throwable thrown, int depth) {
        Map<String, Object> error = new LinkedHashMap<>();
        String message = thrown.getLocalizedMessage();
        error.put("errorMessage", message == null ? thrown.getClass().getName() : message);
        error.put("errorType", thrown.getClass().getName());
        error.put("stackTrace", Arrays.stream(thrown.getStackTrace()).map(Object::toString).toArray());
        Throwable cause = thrown.getCause();
        if (cause != null && depth < Fault.CAUSES_MAX) {
            error.put("cause", describe(cause, depth + 1));
        }
        return error;
    }

    /** Takes this client's frames, and what is beneath them, out of the traces. */
    static <T extends Throwable> T cut(T thrown, int depth) {
        StackTraceElement[] trace = thrown.getStackTrace();
        for (int index = 0; index < trace.length; index++) {
            if (trace[index].getClassName().startsWith(PACKAGE)) {
                thrown.setStackTrace(Arrays.copyOf(trace, index));
                break;
            }
        }
        if (thrown.getCause() != null && depth < Fault.CAUSES_MAX) {
            cut(thrown.getCause(), depth + 1);
        }
        return thrown;
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
