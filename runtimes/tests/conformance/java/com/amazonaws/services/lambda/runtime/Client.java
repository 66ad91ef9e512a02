package com.amazonaws.services.lambda.runtime;

/** The shape of the type of the same name in aws-lambda-java-core, which functions bring: tests have no Maven. */
public interface Client {
    String getInstallationId();

    String getAppVersionCode();
}
