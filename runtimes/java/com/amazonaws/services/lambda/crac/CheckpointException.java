package com.amazonaws.services.lambda.crac;

/** Hooks failed before the environment was set aside; how is in what it suppresses. */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1;
}
