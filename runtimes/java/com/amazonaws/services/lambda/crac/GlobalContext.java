package com.amazonaws.services.lambda.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/** The resources of a function. Each hook runs, whatever those before it threw. */
final class GlobalContext extends Context<Resource> {
    /** In the order of registration. Being registered keeps nothing alive: so CRaC has it. */
    private final List<WeakReference<Resource>> registered = new ArrayList<>();

    private interface Hook {
        void run(Resource resource) throws Exception;
    }

    @Override
    public synchronized void register(Resource resource) {
        registered.removeIf(known -> known.get() == null || known.get() == resource);
        registered.add(new WeakReference<>(resource));
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        List<Resource> lastFirst = resources();
        Collections.reverse(lastFirst);
        List<Throwable> failures = run(lastFirst, resource -> resource.beforeCheckpoint(this));
        if (!failures.isEmpty()) {
            CheckpointException failed = new CheckpointException();
            failures.forEach(failed::addSuppressed);
            throw failed;
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws RestoreException {
        List<Throwable> failures = run(resources(), resource -> resource.afterRestore(this));
        if (!failures.isEmpty()) {
            RestoreException failed = new RestoreException();
            failures.forEach(failed::addSuppressed);
            throw failed;
        }
    }

    private synchronized List<Resource> resources() {
        return registered.stream().map(WeakReference::get).filter(Objects::nonNull).collect(Collectors.toList());
    }

    private static List<Throwable> run(List<Resource> resources, Hook hook) {
        List<Throwable> failures = new ArrayList<>();
        for (Resource resource : resources) {
            try {
                hook.run(resource);
            } catch (CheckpointException | RestoreException nested) {
                // A context that is registered in this one: what went wrong is inside.
                Collections.addAll(failures, nested.getSuppressed());
            } catch (Exception failure) {
                failures.add(failure);
            }
        }
        return failures;
    }
}
