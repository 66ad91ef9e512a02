package hearth.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** An error of the function that this client found, in the words AWS has for it. */
final class Fault extends RuntimeException {
    /** Causes can go in circles. */
    static final int CAUSES_MAX = 16;

    private static final long serialVersionUID = 1;

    private final String text;
    private final String type;
    private final String trace;
    /** Whether the runtime cannot go on: the handler's class could not be made. */
    final boolean fatal;

    private Fault(String text, String type, String trace, boolean fatal) {
        super(text);
        this.text = text;
        this.type = type;
        this.trace = trace;
        this.fatal = fatal;
    }

    static Fault saying(String text) {
        return new Fault(text, null, null, false);
    }

    static Fault of(Throwable thrown, boolean fatal) {
        String text = thrown.getLocalizedMessage();
        return saying(text == null ? thrown.getClass().getName() : text, thrown, fatal);
    }

    static Fault saying(String text, Throwable thrown, boolean fatal) {
        StringWriter trace = new StringWriter();
        Main.cut(thrown, 0).printStackTrace(new PrintWriter(trace));
        return new Fault(text, thrown.getClass().getName(), trace.toString(), fatal);
    }

    Map<String, Object> toJson() {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("errorMessage", text);
        if (type != null) {
            error.put("errorType", type);
        }
        return error;
    }

    /** For the log. */
    String reportable() {
        return type == null ? text + "\n" : text + ": " + type + "\n" + trace + "\n";
    }
}
