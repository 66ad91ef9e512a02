package hearth.runtime;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Where log messages go: standard output, or framed on the descriptor the platform gives, so that a message of many lines
 * stays one.
 */
final class Log {
    /** A frame's first four bytes: text or JSON, and the level. */
    private static final int TEXT = 0xA55A0003;
    private static final int JSON = 0xA55A0002;
    private static final List<String> LEVELS = List.of("UNDEFINED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL");

    private final OutputStream frames;
    private final boolean isJson;
    private final int levelMin;
    String requestId = "";

    private Log(OutputStream frames, boolean isJson, int levelMin) {
        this.frames = frames;
        this.isJson = isJson;
        this.levelMin = levelMin;
    }

    static Log ofEnvironment() throws IOException {
        String descriptor = System.getenv("_LAMBDA_TELEMETRY_LOG_FD");
        boolean isJson = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
        String level = System.getenv().getOrDefault("AWS_LAMBDA_LOG_LEVEL", "").toUpperCase(Locale.ROOT);
        return new Log(descriptor == null ? null : open(descriptor), isJson, Math.max(0, LEVELS.indexOf(level)));
    }

    private static OutputStream open(String descriptor) throws IOException {
        if (descriptor.equals("1")) {
            return new FileOutputStream(FileDescriptor.out);
        }
        return new FileOutputStream("/proc/self/fd/" + descriptor, true);
    }

    void error(String message, String requestId) {
        this.requestId = requestId;
        log(message, isJson ? LEVELS.indexOf("ERROR") : 0);
    }

    /** What {@code LambdaLogger.log} was given: a text or bytes, and perhaps a level. */
    void log(Object message, Object level) {
        int number = level == null ? 0 : Math.max(0, LEVELS.indexOf(level.toString()));
        if (message instanceof byte[]) {
            write((byte[]) message, number);
        } else {
            log(String.valueOf(message), number);
        }
    }

    private void log(String message, int level) {
        // What is written without a level is always written.
        if (isJson && level != 0 && level < levelMin) {
            return;
        }
        write(Main.utf8(isJson ? record(message, level) : message), level);
    }

    private String record(String message, int level) {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("timestamp", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        record.put("level", LEVELS.get(level));
        record.put("message", message);
        record.put("AWSRequestId", requestId);
        return new String(Json.bytes(record), java.nio.charset.StandardCharsets.UTF_8) + "\n";
    }

    private void write(byte[] message, int level) {
        // The descriptor may be standard output's: what was printed before comes before.
        System.out.flush();
        if (frames == null) {
            System.out.write(message, 0, message.length);
            System.out.flush();
            return;
        }
        Instant now = Instant.now();
        ByteBuffer frame = ByteBuffer.allocate(16 + message.length);
        frame.putInt((isJson ? JSON : TEXT) | level << 2).putInt(message.length);
        frame.putLong(now.getEpochSecond() * 1_000_000 + now.getNano() / 1000).put(message);
        try {
            frames.write(frame.array());
        } catch (IOException gone) {
            // Nobody listens; the invocation matters more.
        }
    }
}
