package hearth.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** Makes the values that handlers take out of JSON, and JSON out of what they return, in the manner of AWS's client. */
final class Binding {
    /** Before the year 1973 in milliseconds: a moment that small is meant in seconds. */
    private static final double SECONDS_BELOW = 1e11;

    private Binding() {}

    static final class Mismatch extends RuntimeException {
        private static final long serialVersionUID = 1;

        Mismatch(String message) {
            super(message);
        }
    }

    static Object read(Object json, Type type) throws ReflectiveOperationException {
        Class<?> raw = rawOf(type);
        if (raw == null || raw == Object.class) {
            return loose(json);
        }
        if (raw == Optional.class) {
            return Optional.ofNullable(json == null ? null : read(json, argument(type, 0)));
        }
        if (json == null) {
            return raw.isPrimitive() ? nothing(raw) : null;
        }
        if (raw == byte[].class || raw == ByteBuffer.class) {
            byte[] bytes = Base64.getDecoder().decode(text(json, raw));
            return raw == byte[].class ? bytes : ByteBuffer.wrap(bytes);
        }
        if (raw.isArray()) {
            return array(json, type, raw);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return collection(json, type, raw);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(json, type, raw);
        }
        Object scalar = scalar(json, raw);
        return scalar != null || raw.isEnum() ? scalar : object(json, raw);
    }

    /** What a handler that says only {@code Object} gets. */
    private static Object loose(Object json) {
        if (json instanceof Map) {
            Map<Object, Object> map = new LinkedHashMap<>();
            ((Map<?, ?>) json).forEach((name, value) -> map.put(name, loose(value)));
            return map;
        }
        if (json instanceof List) {
            List<Object> list = new ArrayList<>();
            ((List<?>) json).forEach(value -> list.add(loose(value)));
            return list;
        }
        return json instanceof BigDecimal ? (Object) ((BigDecimal) json).doubleValue() : json;
    }

    /** Null, if {@code raw} is no scalar. */
    private static Object scalar(Object json, Class<?> raw) throws ReflectiveOperationException {
        if (raw == String.class || raw == CharSequence.class) {
            return text(json, raw);
        }
        if (raw == char.class || raw == Character.class) {
            return text(json, raw).charAt(0);
        }
        if (raw == boolean.class || raw == Boolean.class) {
            return json instanceof Number ? ((Number) json).doubleValue() != 0 : truth(text(json, raw));
        }
        if (raw.isEnum()) {
            return constant(text(json, raw), raw);
        }
        if (raw == UUID.class) {
            return UUID.fromString(text(json, raw));
        }
        if (raw == Date.class || raw == Instant.class) {
            Instant moment = moment(json);
            return raw == Date.class ? Date.from(moment) : moment;
        }
        if (raw.getName().equals("org.joda.time.DateTime")) {
            return raw.getConstructor(Object.class).newInstance(json instanceof Number ? (Object) moment(json).toEpochMilli() : json);
        }
        return raw.isPrimitive() || Number.class.isAssignableFrom(raw) ? number(json, raw) : null;
    }

    private static String text(Object json, Class<?> raw) {
        if (json instanceof Map || json instanceof List) {
            String what = json instanceof Map ? "an object" : "an array";
            throw new Mismatch("Cannot deserialize a value of type `" + raw.getTypeName() + "` from " + what);
        }
        return json instanceof BigDecimal ? ((BigDecimal) json).toPlainString() : json.toString();
    }

    private static boolean truth(String text) {
        if (!text.equals("true") && !text.equals("false")) {
            throw new Mismatch("Cannot deserialize a value of type `boolean` from \"" + text + "\"");
        }
        return text.equals("true");
    }

    /** A name that the enumeration lacks is null, as on AWS. */
    private static Object constant(String text, Class<?> raw) {
        return Arrays.stream(raw.getEnumConstants())
                .filter(it -> it.toString().equals(text) || ((Enum<?>) it).name().equals(text))
                .findFirst()
                .orElse(null);
    }

    private static Instant moment(Object json) {
        if (json instanceof Number) {
            double number = ((Number) json).doubleValue();
            return Instant.ofEpochMilli((long) (number < SECONDS_BELOW ? number * 1000 : number));
        }
        return Instant.from(java.time.format.DateTimeFormatter.ISO_DATE_TIME.withZone(java.time.ZoneOffset.UTC).parse(json.toString()));
    }

    private static Object number(Object json, Class<?> raw) {
        BigDecimal number;
        try {
            number = new BigDecimal(text(json, raw).trim());
        } catch (NumberFormatException not) {
            throw new Mismatch("Cannot deserialize a value of type `" + raw.getTypeName() + "` from \"" + json + "\"");
        }
        if (raw == int.class || raw == Integer.class) {
            return (int) within(number, Integer.MIN_VALUE, Integer.MAX_VALUE, raw);
        }
        if (raw == long.class || raw == Long.class) {
            return within(number, Long.MIN_VALUE, Long.MAX_VALUE, raw);
        }
        if (raw == short.class || raw == Short.class) {
            return (short) within(number, Short.MIN_VALUE, Short.MAX_VALUE, raw);
        }
        if (raw == byte.class || raw == Byte.class) {
            return (byte) within(number, Byte.MIN_VALUE, Byte.MAX_VALUE, raw);
        }
        if (raw == float.class || raw == Float.class) {
            return number.floatValue();
        }
        if (raw == BigInteger.class) {
            return number.toBigInteger();
        }
        return raw == BigDecimal.class ? (Object) number : number.doubleValue();
    }

    private static long within(BigDecimal number, long min, long max, Class<?> raw) {
        BigInteger whole = number.toBigInteger();
        if (whole.compareTo(BigInteger.valueOf(min)) < 0 || whole.compareTo(BigInteger.valueOf(max)) > 0) {
            throw new Mismatch("Numeric value (" + number + ") out of range of " + raw.getSimpleName());
        }
        return whole.longValue();
    }

    private static Object nothing(Class<?> primitive) {
        return Array.get(Array.newInstance(primitive, 1), 0);
    }

    /** A single value stands for a list of one, as on AWS. */
    private static List<?> elements(Object json) {
        return json instanceof List ? (List<?>) json : Arrays.asList(json);
    }

    private static Object array(Object json, Type type, Class<?> raw) throws ReflectiveOperationException {
        Type of = type instanceof GenericArrayType ? ((GenericArrayType) type).getGenericComponentType() : raw.getComponentType();
        List<?> elements = elements(json);
        Object array = Array.newInstance(raw.getComponentType(), elements.size());
        for (int index = 0; index < elements.size(); index++) {
            Array.set(array, index, read(elements.get(index), of));
        }
        return array;
    }

    private static Object collection(Object json, Type type, Class<?> raw) throws ReflectiveOperationException {
        Class<?>[] ours = {ArrayList.class, LinkedHashSet.class, TreeSet.class, ArrayDeque.class};
        @SuppressWarnings("unchecked")
        Collection<Object> collection = (Collection<Object>) container(raw, ours);
        for (Object element : elements(json)) {
            collection.add(read(element, argument(type, 0)));
        }
        return collection;
    }

    private static Object map(Object json, Type type, Class<?> raw) throws ReflectiveOperationException {
        if (!(json instanceof Map)) {
            throw new Mismatch("Cannot deserialize a value of type `" + raw.getTypeName() + "` from " + Json.parse(Json.bytes(json)));
        }
        @SuppressWarnings("unchecked")
        Map<Object, Object> map = (Map<Object, Object>) container(raw, new Class<?>[] {LinkedHashMap.class, TreeMap.class});
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) json).entrySet()) {
            map.put(read(entry.getKey(), argument(type, 0)), read(entry.getValue(), argument(type, 1)));
        }
        return map;
    }

    private static Object container(Class<?> raw, Class<?>[] ours) throws ReflectiveOperationException {
        if (!raw.isInterface() && !Modifier.isAbstract(raw.getModifiers())) {
            return accessible(raw.getDeclaredConstructor()).newInstance();
        }
        for (Class<?> one : ours) {
            if (raw.isAssignableFrom(one)) {
                return one.getConstructor().newInstance();
            }
        }
        throw new Mismatch("Cannot construct instance of `" + raw.getTypeName() + "`");
    }

    private static Object object(Object json, Class<?> raw) throws ReflectiveOperationException {
        if (json.equals("")) {
            return null;
        }
        if (!(json instanceof Map)) {
            String what = json instanceof List ? "an array" : "`" + json + "`";
            throw new Mismatch("Cannot deserialize a value of type `" + raw.getTypeName() + "` from " + what);
        }
        if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            throw new Mismatch("Cannot construct instance of `" + raw.getTypeName() + "`: abstract types cannot be instantiated");
        }
        Map<?, ?> values = (Map<?, ?>) json;
        Bean bean = Bean.of(raw);
        Constructor<?> plain = bean.plainConstructor();
        if (plain == null) {
            return bean.construct(values);
        }
        Object made;
        try {
            made = accessible(plain).newInstance();
        } catch (InvocationTargetException thrown) {
            throw new Mismatch("Cannot construct instance of `" + raw.getTypeName() + "`: " + thrown.getCause());
        }
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            bean.set(made, entry.getKey().toString(), entry.getValue());
        }
        return made;
    }

    static <T extends java.lang.reflect.AccessibleObject> T accessible(T member) {
        member.setAccessible(true);
        return member;
    }

    static Class<?> rawOf(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return rawOf(((ParameterizedType) type).getRawType());
        }
        if (type instanceof GenericArrayType) {
            return Array.newInstance(rawOf(((GenericArrayType) type).getGenericComponentType()), 0).getClass();
        }
        if (type instanceof WildcardType) {
            return rawOf(((WildcardType) type).getUpperBounds()[0]);
        }
        return type instanceof TypeVariable ? rawOf(((TypeVariable<?>) type).getBounds()[0]) : null;
    }

    private static Type argument(Type type, int index) {
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            return index < arguments.length ? arguments[index] : Object.class;
        }
        return Object.class;
    }

    /** The value as maps, lists and scalars. */
    static Object write(Object value) throws ReflectiveOperationException {
        return write(value, new IdentityHashMap<>());
    }

    private static Object write(Object value, IdentityHashMap<Object, Object> above) throws ReflectiveOperationException {
        if (value == null || value instanceof String || value instanceof Boolean || value instanceof Number) {
            return value;
        }
        if (value instanceof Optional) {
            return write(((Optional<?>) value).orElse(null), above);
        }
        if (value instanceof Enum || value instanceof CharSequence || value instanceof Character || value instanceof UUID) {
            return value.toString();
        }
        if (value instanceof Date) {
            return ((Date) value).getTime();
        }
        if (value instanceof Instant) {
            Instant moment = (Instant) value;
            return BigDecimal.valueOf(moment.getEpochSecond()).add(BigDecimal.valueOf(moment.getNano(), 9));
        }
        if (value instanceof byte[]) {
            return Base64.getEncoder().encodeToString((byte[]) value);
        }
        if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            return Base64.getEncoder().encodeToString(copy);
        }
        if (value.getClass().getName().startsWith("java.time.") || value.getClass().getName().startsWith("java.io.")) {
            throw new Mismatch("Java type `" + value.getClass().getName() + "` is not supported in a response: return a text");
        }
        if (above.put(value, value) != null) {
            throw new Mismatch("Direct self-reference leading to cycle (through " + value.getClass().getName() + ")");
        }
        Object written = writeMany(value, above);
        above.remove(value);
        return written;
    }

    private static Object writeMany(Object value, IdentityHashMap<Object, Object> above) throws ReflectiveOperationException {
        if (value instanceof Map) {
            Map<String, Object> object = new LinkedHashMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                put(object, String.valueOf(entry.getKey()), entry.getValue(), above);
            }
            return object;
        }
        List<Object> list = new ArrayList<>();
        if (value instanceof Iterable) {
            for (Object element : (Iterable<?>) value) {
                list.add(write(element, above));
            }
            return list;
        }
        if (value.getClass().isArray()) {
            for (int index = 0; index < Array.getLength(value); index++) {
                list.add(write(Array.get(value, index), above));
            }
            return value instanceof char[] ? new String((char[]) value) : list;
        }
        Map<String, Object> object = new LinkedHashMap<>();
        for (Map.Entry<String, Object> property : Bean.of(value.getClass()).values(value).entrySet()) {
            put(object, property.getKey(), property.getValue(), above);
        }
        return object;
    }

    /** What is null is left out, as on AWS. */
    private static void put(Map<String, Object> object, String name, Object value, IdentityHashMap<Object, Object> above)
            throws ReflectiveOperationException {
        Object written = write(value, above);
        if (written != null) {
            object.put(name, written);
        }
    }
}
