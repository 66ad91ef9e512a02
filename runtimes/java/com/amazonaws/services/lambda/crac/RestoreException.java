package com.amazonaws.services.lambda.crac;

/** Hooks failed when the environment was taken up again; how is in what it suppresses. */
public class RestoreException extends Exception {
    private static final long serialVersionUID = 1;
}
