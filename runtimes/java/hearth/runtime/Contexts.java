package hearth.runtime;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;

/** Makes what handlers get as their second argument, of the interfaces that the function's package brings. */
final class Contexts {
    static final String CORE = "com.amazonaws.services.lambda.runtime.";

    private final FunctionLoader loader;
    private final Class<?> context;
    private final Object logger;

    Contexts(FunctionLoader loader, Log log) {
        this.loader = loader;
        this.context = loader.find(CORE + "Context");
        this.logger = proxy("LambdaLogger", (method, arguments) -> {
            log.log(arguments[0], arguments.length > 1 ? arguments[1] : null);
            return null;
        });
        shareLogger();
    }

    /** {@code LambdaRuntime.getLogger()} gives the same logger. */
    private void shareLogger() {
        Class<?> runtime = loader.find(CORE + "LambdaRuntime");
        if (runtime == null || logger == null) {
            return;
        }
        try {
            Field field = runtime.getDeclaredField("logger");
            field.setAccessible(true);
            field.set(null, logger);
        } catch (ReflectiveOperationException other) {
            // Another version of the library: its own logger prints.
        }
    }

    /** Null, if the function knows no context. */
    Object of(Map<String, String> headers) {
        if (context == null) {
            return null;
        }
        Object identity = identity(headers.get("lambda-runtime-cognito-identity"));
        Object client = client(headers.get("lambda-runtime-client-context"));
        long deadline = Long.parseLong(headers.getOrDefault("lambda-runtime-deadline-ms", "0"));
        return proxy("Context", (method, arguments) -> {
            switch (method) {
                case "getAwsRequestId": return headers.get("lambda-runtime-aws-request-id");
                case "getLogGroupName": return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
                case "getLogStreamName": return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
                case "getFunctionName": return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
                case "getFunctionVersion": return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
                case "getInvokedFunctionArn": return headers.get("lambda-runtime-invoked-function-arn");
                case "getIdentity": return identity;
                case "getClientContext": return client;
                case "getRemainingTimeInMillis": return (int) Math.max(0, deadline - System.currentTimeMillis());
                case "getMemoryLimitInMB": return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
                case "getLogger": return logger;
                case "getTenantId": return headers.get("lambda-runtime-aws-tenant-id");
                case "getXrayTraceId": return headers.get("lambda-runtime-trace-id");
                default: throw new UnsupportedOperationException("Context." + method);
            }
        });
    }

    private Object identity(String header) {
        Map<?, ?> values = header == null ? null : (Map<?, ?>) Json.parse(Main.utf8(header));
        return values == null ? null : proxy("CognitoIdentity", (method, arguments) ->
            method.equals("getIdentityId") ? values.get("cognitoIdentityId") : values.get("cognitoIdentityPoolId"));
    }

    private Object client(String header) {
        Map<?, ?> values = header == null ? null : (Map<?, ?>) Json.parse(Main.utf8(header));
        if (values == null) {
            return null;
        }
        Map<?, ?> fields = (Map<?, ?>) values.get("client");
        Object client = fields == null ? null : proxy("Client", (method, arguments) -> fields.get(clientField(method)));
        return proxy("ClientContext", (method, arguments) -> {
            switch (method) {
                case "getClient": return client;
                case "getCustom": return values.get("custom");
                case "getEnvironment": return values.get("env");
                default: throw new UnsupportedOperationException("ClientContext." + method);
            }
        });
    }

    /** {@code getAppVersionCode} is {@code app_version_code}. */
    private static String clientField(String method) {
        return method.substring(3).replaceAll("(?<!^)([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT);
    }

    private interface Calls {
        Object answer(String method, Object[] arguments) throws Throwable;
    }

    private Object proxy(String name, Calls calls) {
        Class<?> type = loader.find(CORE + name);
        if (type == null) {
            return null;
        }
        InvocationHandler handler = (self, method, arguments) -> {
            if (method.getDeclaringClass() == Object.class) {
                return ofObject(name, self, method, arguments);
            }
            return calls.answer(method.getName(), arguments);
        };
        return Proxy.newProxyInstance(loader, new Class<?>[] {type}, handler);
    }

    private static Object ofObject(String name, Object self, Method method, Object[] arguments) {
        switch (method.getName()) {
            case "equals": return self == arguments[0];
            case "hashCode": return System.identityHashCode(self);
            default: return name + "@" + Integer.toHexString(System.identityHashCode(self));
        }
    }
}
