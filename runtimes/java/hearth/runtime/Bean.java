package hearth.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A class's properties: public fields, and what getters and setters make of it. */
final class Bean {
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<>();
    /** AWS's own event classes are written in another case than their JSON: {@code records} for {@code Records}. */
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private final Class<?> type;
    private final boolean anyCase;
    private final List<Field> fields = new ArrayList<>();
    private final Map<String, Method> setters = new LinkedHashMap<>();
    private final Map<String, Method> getters = new LinkedHashMap<>();

    private Bean(Class<?> type) {
        this.type = type;
        this.anyCase = type.getName().startsWith(EVENTS);
        for (Class<?> at = type; at != null && at != Object.class; at = at.getSuperclass()) {
            List<Field> own = new ArrayList<>();
            Arrays.stream(at.getDeclaredFields()).filter(it -> !Modifier.isStatic(it.getModifiers()) && !it.isSynthetic()).forEach(own::add);
            fields.addAll(0, own);
        }
        Map<String, Method> found = new LinkedHashMap<>();
        for (Method method : type.getMethods()) {
            if (Modifier.isStatic(method.getModifiers()) || method.getDeclaringClass() == Object.class || method.isBridge()) {
                continue;
            }
            String name = method.getName();
            if (method.getParameterCount() == 1 && name.startsWith("set") && name.length() > 3) {
                setters.merge(key(decapitalised(name.substring(3))), method, this::setter);
            } else if (getter(method) != null) {
                found.put(getter(method), method);
            }
        }
        // The order of methods is nobody's; that of fields is the author's.
        for (Field field : fields) {
            Method getter = found.remove(field.getName());
            if (getter != null) {
                getters.put(field.getName(), getter);
            }
        }
        getters.putAll(new java.util.TreeMap<>(found));
    }

    static Bean of(Class<?> type) {
        return KNOWN.computeIfAbsent(type, Bean::new);
    }

    private String key(String name) {
        return anyCase ? name.toLowerCase(Locale.ROOT) : name;
    }

    /** Of two setters of one name the one for the field's own type. */
    private Method setter(Method one, Method other) {
        String name = decapitalised(one.getName().substring(3));
        Class<?> wanted =
                fields.stream().filter(it -> it.getName().equals(name)).<Class<?>>map(Field::getType).findFirst().orElse(null);
        return other.getParameterTypes()[0] == wanted ? other : one;
    }

    private String getter(Method method) {
        if (method.getParameterCount() > 0 || method.getReturnType() == void.class) {
            return null;
        }
        String name = method.getName();
        if (isRecord()) {
            return fields.stream().anyMatch(it -> it.getName().equals(name)) ? name : null;
        }
        if (name.startsWith("get") && name.length() > 3) {
            return decapitalised(name.substring(3));
        }
        Class<?> answer = method.getReturnType();
        boolean isTruth = answer == boolean.class || answer == Boolean.class;
        return isTruth && name.startsWith("is") && name.length() > 2 ? decapitalised(name.substring(2)) : null;
    }

    /** As the JavaBeans have it: {@code URL} stays, {@code Name} becomes {@code name}. */
    private static String decapitalised(String name) {
        boolean isAcronym = name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1));
        return isAcronym ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    private boolean isRecord() {
        return type.getSuperclass() != null && type.getSuperclass().getName().equals("java.lang.Record");
    }

    /** Null, if there is none. */
    Constructor<?> plainConstructor() {
        try {
            return isRecord() && !fields.isEmpty() ? null : type.getDeclaredConstructor();
        } catch (NoSuchMethodException absent) {
            return null;
        }
    }

    /** A record, or one of AWS's events that are made in one go: their constructor takes the fields in their order. */
    Object construct(Map<?, ?> values) throws ReflectiveOperationException {
        if (!isRecord() && !anyCase) {
            throw new Binding.Mismatch("Cannot construct instance of `" + type.getTypeName() + "` (no Creators, like default constructor, exist)");
        }
        Class<?>[] types = fields.stream().map(Field::getType).toArray(Class<?>[]::new);
        Constructor<?> constructor = Binding.accessible(type.getDeclaredConstructor(types));
        Object[] arguments = new Object[types.length];
        for (int index = 0; index < types.length; index++) {
            arguments[index] = Binding.read(value(values, fields.get(index).getName()), fields.get(index).getGenericType());
        }
        try {
            return constructor.newInstance(arguments);
        } catch (InvocationTargetException thrown) {
            throw new Binding.Mismatch("Cannot construct instance of `" + type.getTypeName() + "`: " + thrown.getCause());
        }
    }

    private Object value(Map<?, ?> values, String name) {
        if (values.containsKey(name) || !anyCase) {
            return values.get(name);
        }
        return values.entrySet().stream()
                .filter(it -> it.getKey().toString().equalsIgnoreCase(name) && it.getValue() != null)
                .<Object>map(Map.Entry::getValue)
                .findFirst()
                .orElse(null);
    }

    /** What has no property of its name is left out, as on AWS. */
    void set(Object bean, String name, Object json) throws ReflectiveOperationException {
        Method setter = setters.get(key(name));
        if (setter != null) {
            Type wanted = setter.getGenericParameterTypes()[0];
            try {
                Binding.accessible(setter).invoke(bean, Binding.read(json, wanted));
            } catch (InvocationTargetException thrown) {
                throw new Binding.Mismatch(thrown.getCause() + " (through reference chain: " + type.getName() + "[\"" + name + "\"])");
            }
            return;
        }
        for (Field field : fields) {
            if (Modifier.isPublic(field.getModifiers()) && key(field.getName()).equals(key(name))) {
                Binding.accessible(field).set(bean, Binding.read(json, field.getGenericType()));
            }
        }
    }

    Map<String, Object> values(Object bean) throws ReflectiveOperationException {
        Map<String, Object> values = new LinkedHashMap<>();
        for (Field field : fields) {
            Method getter = getters.get(field.getName());
            if (getter != null) {
                values.put(field.getName(), get(getter, bean));
            } else if (Modifier.isPublic(field.getModifiers())) {
                values.put(field.getName(), Binding.accessible(field).get(bean));
            }
        }
        for (Map.Entry<String, Method> getter : getters.entrySet()) {
            if (!values.containsKey(getter.getKey())) {
                values.put(getter.getKey(), get(getter.getValue(), bean));
            }
        }
        return values;
    }

    private static Object get(Method getter, Object bean) throws ReflectiveOperationException {
        try {
            return Binding.accessible(getter).invoke(bean);
        } catch (InvocationTargetException thrown) {
            throw new Binding.Mismatch(thrown.getCause() + " (through reference chain: " + bean.getClass().getName() + "." + getter.getName() + ")");
        }
    }
}
