package org.crac;

public interface Context<R extends Resource> {
    void register(R resource);
}
