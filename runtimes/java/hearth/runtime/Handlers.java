package hearth.runtime;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;

/** Finds the handler that a configuration names, in any of the forms that AWS knows. */
final class Handlers {
    private Handlers() {}

    static Handler load(String name, FunctionLoader loader) {
        int colons = name.indexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        String methodName = colons < 0 ? null : name.substring(colons + 2);
        if (className.isEmpty() || (methodName != null && (methodName.isEmpty() || methodName.contains("::")))) {
            throw Fault.saying("Invalid handler: `" + name + "'");
        }
        Class<?> type = load(className, loader, name);
        return methodName == null ? ofInterface(type, loader) : ofMethod(type, methodName, loader);
    }

    private static Class<?> load(String className, FunctionLoader loader, String handler) {
        try {
            return Class.forName(className, true, loader);
        } catch (ClassNotFoundException absent) {
            throw Fault.saying("Class not found: " + className, absent, false);
        } catch (Throwable thrown) {
            String why = thrown.getMessage() == null ? "" : ": " + thrown.getMessage();
            throw Fault.saying("Error loading class " + className + why, thrown, true);
        }
    }

    private static Handler ofInterface(Class<?> type, FunctionLoader loader) {
        Class<?> streaming = loader.find(Contexts.CORE + "RequestStreamHandler");
        if (streaming != null && streaming.isAssignableFrom(type)) {
            Method method = method(streaming, "handleRequest");
            return ofStreams(method, instance(type), true, true, true);
        }
        Class<?> plain = loader.find(Contexts.CORE + "RequestHandler");
        if (plain == null || !plain.isAssignableFrom(type)) {
            throw Fault.saying("Class does not implement an appropriate handler interface: " + type.getName());
        }
        Type[] types = argumentsOf(type, plain, new HashMap<>());
        if (types == null) {
            throw Fault.saying("Class " + type.getName() + " does not implement RequestHandler with concrete type parameters");
        }
        Object instance = instance(type);
        Method method = method(plain, "handleRequest");
        return ofValues(types[0], types[1], (value, context) -> call(method, instance, value, context));
    }

    private static Method method(Class<?> type, String name) {
        return Arrays.stream(type.getMethods()).filter(method -> method.getName().equals(name)).findFirst().orElseThrow();
    }

    /** What {@code type} says the type parameters of {@code wanted} are, through classes and interfaces between. */
    private static Type[] argumentsOf(Type type, Class<?> wanted, Map<TypeVariable<?>, Type> known) {
        Class<?> raw = Binding.rawOf(type);
        if (raw == null || !wanted.isAssignableFrom(raw)) {
            return null;
        }
        if (type instanceof ParameterizedType) {
            Type[] actual = ((ParameterizedType) type).getActualTypeArguments();
            for (int index = 0; index < actual.length; index++) {
                Type argument = actual[index];
                known.put(raw.getTypeParameters()[index], known.getOrDefault(argument, argument));
            }
        }
        if (raw == wanted) {
            TypeVariable<?>[] parameters = raw.getTypeParameters();
            return known.containsKey(parameters[0])
                    ? Arrays.stream(parameters).map(known::get).toArray(Type[]::new)
                    : null;
        }
        for (Type above : raw.getGenericInterfaces()) {
            Type[] found = argumentsOf(above, wanted, known);
            if (found != null) {
                return found;
            }
        }
        return raw.getGenericSuperclass() == null ? null : argumentsOf(raw.getGenericSuperclass(), wanted, known);
    }

    /** The method of that name with the longest signature that can be called; a context counts twice. */
    private static Handler ofMethod(Class<?> type, String name, FunctionLoader loader) {
        Class<?> context = loader.find(Contexts.CORE + "Context");
        Comparator<Method> order = Comparator.comparing(Method::isBridge);
        order = order.thenComparing(method -> -length(method, context));
        Method[] methods =
                Arrays.stream(type.getMethods()).filter(it -> it.getName().equals(name)).sorted(order).toArray(Method[]::new);
        for (Method method : methods) {
            Handler handler = ofSignature(type, method, context);
            if (handler != null) {
                return handler;
            }
        }
        throw Fault.saying("No public method named " + name + " with appropriate method signature found on class " + type.getName());
    }

    private static int length(Method method, Class<?> context) {
        Class<?>[] types = method.getParameterTypes();
        return types.length + (types.length > 0 && types[types.length - 1] == context ? 1 : 0);
    }

    private static Handler ofSignature(Class<?> type, Method method, Class<?> context) {
        Type[] types = method.getGenericParameterTypes();
        boolean wantsContext = types.length > 0 && types[types.length - 1] == context;
        int others = types.length - (wantsContext ? 1 : 0);
        boolean in = others > 0 && types[0] == InputStream.class;
        boolean out = others > 0 && types[others - 1] == OutputStream.class;
        if (others > 2 || (others == 2 && !(in && out))) {
            return null;
        }
        method.setAccessible(true);
        Object instance = Modifier.isStatic(method.getModifiers()) ? null : instance(type);
        if (in || out) {
            return ofStreams(method, instance, in, out, wantsContext);
        }
        Type input = others == 1 ? types[0] : null;
        return ofValues(input, method.getGenericReturnType(), (value, lambda) -> {
            Object[] arguments = new Object[types.length];
            if (others == 1) {
                arguments[0] = value;
            }
            if (wantsContext) {
                arguments[others] = lambda;
            }
            return invoke(method, instance, arguments);
        });
    }

    private static Handler ofStreams(Method method, Object instance, boolean in, boolean out, boolean wantsContext) {
        return (input, output, context) -> {
            Object[] arguments = new Object[(in ? 1 : 0) + (out ? 1 : 0) + (wantsContext ? 1 : 0)];
            int next = 0;
            if (in) {
                arguments[next++] = new ByteArrayInputStream(input);
            }
            if (out) {
                arguments[next++] = output;
            }
            if (wantsContext) {
                arguments[next] = context;
            }
            invoke(method, instance, arguments);
        };
    }

    private interface Call {
        Object with(Object value, Object context) throws Throwable;
    }

    private static Handler ofValues(Type input, Type answer, Call call) {
        return (bytes, output, context) -> {
            Object value;
            try {
                value = input == null ? null : Binding.read(Json.parse(bytes), input);
            } catch (Throwable thrown) {
                throw new RuntimeException("An error occurred during JSON parsing", Main.cut(thrown, 0));
            }
            Object returned = call.with(value, context);
            if (answer == void.class || answer == Void.class) {
                output.write(Main.utf8("null"));
                return;
            }
            try {
                output.write(Json.bytes(Binding.write(returned)));
            } catch (Throwable thrown) {
                throw new RuntimeException("An error occurred during JSON serialization of response", thrown);
            }
        };
    }

    private static Object call(Method method, Object instance, Object value, Object context) throws Throwable {
        return invoke(method, instance, new Object[] {value, context});
    }

    private static Object invoke(Method method, Object instance, Object[] arguments) throws Throwable {
        try {
            return method.invoke(instance, arguments);
        } catch (InvocationTargetException thrown) {
            Throwable own = Main.cut(thrown.getCause() == null ? thrown : thrown.getCause(), 0);
            if (method.getDeclaringClass().getName().startsWith(Contexts.CORE)) {
                withoutReflection(own, 0);
            }
            throw own;
        }
    }

    /** AWS's client calls the interfaces' methods without reflection, so its frames are not part of their traces. */
    private static void withoutReflection(Throwable thrown, int depth) {
        StackTraceElement[] trace = thrown.getStackTrace();
        int length = trace.length;
        while (length > 0 && trace[length - 1].getClassName().matches("(jdk\\.internal|java\\.lang)\\.reflect\\..*")) {
            length--;
        }
        thrown.setStackTrace(Arrays.copyOf(trace, length));
        if (thrown.getCause() != null && depth < Fault.CAUSES_MAX) {
            withoutReflection(thrown.getCause(), depth + 1);
        }
    }

    private static Object instance(Class<?> type) {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException absent) {
            boolean inner = type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            String why = inner ? " cannot be instantiated because it is a non-static inner class" : " has no public zero-argument constructor";
            throw Fault.of(new Exception("Class " + type.getName() + why), false);
        }
        try {
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (InvocationTargetException thrown) {
            throw Fault.of(thrown.getCause() == null ? thrown : thrown.getCause(), true);
        } catch (ReflectiveOperationException thrown) {
            throw Fault.of(thrown.getCause() == null ? thrown : thrown.getCause(), false);
        }
    }
}
