package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

public class Echo implements RequestHandler<Object, Object> {
    private static int calls;

    @Override
    public Object handleRequest(Object event, Context context) {
        if (event instanceof Map && ((Map<?, ?>) event).containsKey("fail")) {
            throw new IllegalStateException((String) ((Map<?, ?>) event).get("fail"), new RuntimeException("beneath"));
        }
        return "calls".equals(event) ? ++calls : event;
    }
}
