package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

public class Forms {
    public static class Stream implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            output.write("{\"raw\":".getBytes());
            input.transferTo(output);
            output.write('}');
        }
    }

    public static class Broken {
        static final int NUMBER = Integer.parseInt("no number");

        public String handle() { return ""; }
    }

    public static class Failing {
        public Failing() { throw new IllegalArgumentException("not today"); }

        public String handle() { return ""; }
    }

    public String text(String name) { return "hello " + name; }

    public static int sum(List<Integer> numbers, Context context) { return numbers.stream().mapToInt(it -> it).sum(); }

    public void nothing() {}

    public String overloaded(String event) { return "short"; }

    public String overloaded(String event, Context context) { return "long"; }

    public void streams(InputStream input, OutputStream output, Context context) throws IOException { input.transferTo(output); }

    public Object self() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("self", map);
        return map;
    }

    public String fail(Object event) { throw new UnsupportedOperationException("über"); }

    public String exit(Object event) {
        System.exit(7);
        return "";
    }

    public String log(Object event, Context context) {
        System.out.println("printed grüße");
        context.getLogger().log("logged\nin two lines");
        return "";
    }

    public Object context(Object event, Context context) {
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("id", context.getAwsRequestId());
        seen.put("group", context.getLogGroupName());
        seen.put("stream", context.getLogStreamName());
        seen.put("name", context.getFunctionName());
        seen.put("version", context.getFunctionVersion());
        seen.put("arn", context.getInvokedFunctionArn());
        seen.put("memory", context.getMemoryLimitInMB());
        seen.put("remaining", context.getRemainingTimeInMillis());
        seen.put("identity", context.getIdentity() == null ? null : context.getIdentity().getIdentityId());
        if (context.getClientContext() != null) {
            seen.put("client", context.getClientContext().getClient().getAppVersionCode());
            seen.put("custom", context.getClientContext().getCustom());
        }
        seen.put("greeting", System.getenv("GREETING"));
        seen.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        seen.put("directory", System.getProperty("user.dir"));
        return seen;
    }
}
