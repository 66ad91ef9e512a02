package hearth.runtime;

import com.amazonaws.services.lambda.crac.CheckpointException;
import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.crac.RestoreException;
import java.io.IOException;

/** SnapStart: the function's hooks, and between them the call that is answered when a request wants this environment. */
final class SnapStart {
    /** What AWS's client ends with after a hook failed. */
    private static final int EXIT_CODE = 64;

    private SnapStart() {}

    static void beRestored(RuntimeApi api, Log log) throws IOException {
        try {
            Core.getGlobalContext().beforeCheckpoint(null);
        } catch (CheckpointException failed) {
            end(api, log, failed, "init/error", "Runtime.BeforeCheckpointError");
        }
        System.out.flush();
        api.restoreNext();
        try {
            Core.getGlobalContext().afterRestore(null);
        } catch (RestoreException failed) {
            end(api, log, failed, "restore/error", "Runtime.AfterRestoreError");
        }
    }

    private static void end(RuntimeApi api, Log log, Exception failed, String path, String type) throws IOException {
        log.error(Fault.of(failed, true).reportable(), "");
        System.out.flush();
        api.post(path, Json.bytes(Main.describe(failed, 0)), type);
        System.exit(EXIT_CODE);
    }
}
