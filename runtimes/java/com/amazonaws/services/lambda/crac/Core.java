package com.amazonaws.services.lambda.crac;

/**
 * SnapStart's hooks for Java.
 *
 * <p>A function brings the library {@code org.crac}, which looks by reflection for whoever implements it, in the package
 * that the property {@code org.crac.Core.Compat} names. Lambda's runtime names this one, so its classes and methods have
 * the names and types that the library asks for.
 * <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-java.html>
 */
public final class Core {
    private static final Context<Resource> GLOBAL = new GlobalContext();

    private Core() {}

    public static Context<Resource> getGlobalContext() {
        return GLOBAL;
    }

    /** When an environment is set aside is the platform's to say. */
    public static void checkpointRestore() {
        throw new UnsupportedOperationException();
    }
}
