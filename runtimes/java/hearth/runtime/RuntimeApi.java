package hearth.runtime;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** HTTP/1.1 to the Runtime API, one request at a time on one kept-alive connection. */
final class RuntimeApi {
    private static final String API = "/2018-06-01/runtime/";
    private static final int BUFFER_BYTES = 64 * 1024;

    private final String address;
    private final String agent = "hearth-java/" + System.getProperty("java.version");
    private Socket socket;
    private InputStream input;
    private OutputStream output;

    /** The service is gone, or answers what it never should: there is nothing left to do. */
    static final class Failed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failed(String message) {
            super(message);
        }
    }

    static final class Answer {
        final int status;
        final Map<String, String> headers;
        byte[] body = {};

        private Answer(int status, Map<String, String> headers) {
            this.status = status;
            this.headers = headers;
        }
    }

    RuntimeApi(String address) {
        this.address = address;
    }

    Answer next() throws IOException {
        return ask("invocation/next");
    }

    /** Says that the environment can be set aside; returns when it is wanted again. */
    void restoreNext() throws IOException {
        ask("restore/next");
    }

    private Answer ask(String what) throws IOException {
        byte[] head = Main.utf8("GET " + API + what + " HTTP/1.1\r\n" + common() + "\r\n");
        boolean reused = socket != null;
        Answer answer;
        try {
            answer = exchange(head, new byte[0]);
        } catch (IOException broken) {
            // A server may close a kept-alive connection at any time, and asking for work again is harmless.
            if (!reused) {
                throw broken;
            }
            close();
            answer = exchange(head, new byte[0]);
        }
        if (answer.status != 200) {
            throw refused("GET " + what, answer);
        }
        return answer;
    }

    /** Reports; {@code errorType} is null for what is no error. */
    void post(String path, byte[] body, String errorType) throws IOException {
        String type = errorType == null ? "" : "Lambda-Runtime-Function-Error-Type: " + errorType + "\r\n";
        String head = "POST " + API + path + " HTTP/1.1\r\n" + common() + "Content-Type: application/json\r\n"
                + "Content-Length: " + body.length + "\r\n" + type + "\r\n";
        Answer answer = exchange(Main.utf8(head), body);
        // Below 500 the service has already told the caller what was wrong, such as a response that is too large.
        if (answer.status >= 500) {
            throw refused("POST " + path, answer);
        }
    }

    private String common() {
        return "Host: " + address + "\r\nUser-Agent: " + agent + "\r\n";
    }

    private static Failed refused(String what, Answer answer) {
        String said = new String(answer.body, StandardCharsets.UTF_8);
        return new Failed("Runtime API: " + what + " answered " + answer.status + ": " + said);
    }

    private Answer exchange(byte[] head, byte[] body) throws IOException {
        if (socket == null) {
            open();
        }
        // One write for what is small: the other side is to wake once.
        if (body.length < BUFFER_BYTES) {
            byte[] all = java.util.Arrays.copyOf(head, head.length + body.length);
            System.arraycopy(body, 0, all, head.length, body.length);
            output.write(all);
        } else {
            output.write(head);
            output.write(body);
        }
        Answer answer = readHead();
        while (answer.status < 200) {
            answer = readHead();
        }
        boolean closes = "close".equalsIgnoreCase(answer.headers.get("connection"));
        answer.body = readBody(answer.headers, closes);
        if (closes) {
            close();
        }
        return answer;
    }

    private void open() throws IOException {
        int colon = address.lastIndexOf(':');
        socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        input = new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES);
        output = socket.getOutputStream();
    }

    private void close() throws IOException {
        socket.close();
        socket = null;
    }

    private Answer readHead() throws IOException {
        String[] status = line().split(" ", 3);
        Map<String, String> headers = new HashMap<>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.put(line.substring(0, colon).trim().toLowerCase(Locale.ROOT), line.substring(colon + 1).trim());
        }
        return new Answer(Integer.parseInt(status[1]), headers);
    }

    private byte[] readBody(Map<String, String> headers, boolean closes) throws IOException {
        if (headers.getOrDefault("transfer-encoding", "").toLowerCase(Locale.ROOT).contains("chunked")) {
            return readChunks();
        }
        String length = headers.get("content-length");
        if (length != null) {
            return take(Integer.parseInt(length));
        }
        return closes ? input.readAllBytes() : new byte[0];
    }

    private byte[] readChunks() throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        while (true) {
            int size = Integer.parseInt(line().split(";")[0].trim(), 16);
            if (size == 0) {
                while (!line().isEmpty()) {}
                return body.toByteArray();
            }
            body.write(take(size));
            line();
        }
    }

    private byte[] take(int count) throws IOException {
        byte[] taken = input.readNBytes(count);
        if (taken.length < count) {
            throw new EOFException("connection closed in the middle of a body");
        }
        return taken;
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int read = input.read(); read != '\n'; read = input.read()) {
            if (read < 0) {
                throw new EOFException("connection closed");
            }
            line.write(read);
        }
        String text = line.toString(StandardCharsets.UTF_8);
        return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    }
}
