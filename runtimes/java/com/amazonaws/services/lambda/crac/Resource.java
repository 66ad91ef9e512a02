package com.amazonaws.services.lambda.crac;

/** Something that has to do with being set aside, and with being taken up again. */
public interface Resource {
    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

    void afterRestore(Context<? extends Resource> context) throws Exception;
}
