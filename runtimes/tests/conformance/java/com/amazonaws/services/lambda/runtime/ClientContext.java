package com.amazonaws.services.lambda.runtime;

/** The shape of the type of the same name in aws-lambda-java-core, which functions bring: tests have no Maven. */
public interface ClientContext {
    Client getClient();

    java.util.Map<String, String> getCustom();

    java.util.Map<String, String> getEnvironment();
}
