package hearth.runtime;

import java.io.ByteArrayOutputStream;

/** What every form of handler is made into. */
interface Handler {
    void handle(byte[] input, ByteArrayOutputStream output, Object context) throws Throwable;
}
