package org.crac;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;

/** Finds whoever implements CRaC as the library that functions bring does: in the package that a property names. */
public final class Core {
    private static final String PACKAGE = System.getProperty("org.crac.Core.Compat");
    private static final java.util.List<Object> KEPT = new java.util.ArrayList<>();

    private Core() {}

    public static Context<Resource> getGlobalContext() {
        return Core::register;
    }

    private static void register(Resource resource) {
        try {
            Class<?> theirs = Class.forName(PACKAGE + ".Resource");
            InvocationHandler pass = (proxy, method, arguments) -> {
                switch (method.getName()) {
                    case "beforeCheckpoint":
                        resource.beforeCheckpoint(null);
                        return null;
                    case "afterRestore":
                        resource.afterRestore(null);
                        return null;
                    case "hashCode":
                        return System.identityHashCode(proxy);
                    case "equals":
                        return proxy == arguments[0];
                    default:
                        return resource.toString();
                }
            };
            Object proxy = Proxy.newProxyInstance(Core.class.getClassLoader(), new Class<?>[] {theirs}, pass);
            KEPT.add(proxy);
            Object context = Class.forName(PACKAGE + ".Core").getMethod("getGlobalContext").invoke(null);
            Class.forName(PACKAGE + ".Context").getMethod("register", theirs).invoke(context, proxy);
        } catch (ClassNotFoundException | NoSuchMethodException | IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException(e);
        }
    }
}
