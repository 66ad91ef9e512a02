package hearth.runtime;

import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, texts, numbers, truths and null. */
final class Json {
    /** Deeper nesting than anything sensible, and less than the stack has. */
    private static final int DEPTH_MAX = 1000;

    private final String text;
    private int at;
    private int depth;

    static final class Malformed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Malformed(String message) {
            super(message);
        }
    }

    private Json(String text) {
        this.text = text;
    }

    static Object parse(byte[] bytes) {
        Json json = new Json(new String(bytes, StandardCharsets.UTF_8));
        Object value = json.value();
        json.space();
        if (json.at < json.text.length()) {
            throw json.malformed("unexpected text after the value");
        }
        return value;
    }

    private Object value() {
        space();
        if (at >= text.length()) {
            throw malformed("no content");
        }
        switch (text.charAt(at)) {
            case '{': return object();
            case '[': return array();
            case '"': return string();
            case 't': return word("true", Boolean.TRUE);
            case 'f': return word("false", Boolean.FALSE);
            case 'n': return word("null", null);
            default: return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> object = new LinkedHashMap<>();
        enter();
        if (is('}')) {
            return object;
        }
        do {
            space();
            if (at >= text.length() || text.charAt(at) != '"') {
                throw malformed("expected a name");
            }
            String name = string();
            expect(':');
            object.put(name, value());
        } while (is(','));
        expect('}');
        depth--;
        return object;
    }

    private List<Object> array() {
        List<Object> array = new ArrayList<>();
        enter();
        if (is(']')) {
            return array;
        }
        do {
            array.add(value());
        } while (is(','));
        expect(']');
        depth--;
        return array;
    }

    private void enter() {
        at++;
        if (++depth > DEPTH_MAX) {
            throw malformed("nested too deeply");
        }
    }

    private String string() {
        int end = ++at;
        while (end < text.length() && text.charAt(end) != '"' && text.charAt(end) != '\\') {
            end++;
        }
        if (end < text.length() && text.charAt(end) == '"') {
            String plain = text.substring(at, end);
            at = end + 1;
            return plain;
        }
        return escaped();
    }

    private String escaped() {
        StringBuilder string = new StringBuilder();
        while (at < text.length()) {
            char next = text.charAt(at++);
            if (next == '"') {
                return string.toString();
            }
            string.append(next == '\\' ? escape() : next);
        }
        throw malformed("a text has no end");
    }

    private char escape() {
        if (at >= text.length()) {
            throw malformed("a text has no end");
        }
        char kind = text.charAt(at++);
        switch (kind) {
            case 'b': return '\b';
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'u': return unicode();
            default: return kind;
        }
    }

    private char unicode() {
        if (at + 4 > text.length()) {
            throw malformed("a text has no end");
        }
        try {
            char unit = (char) Integer.parseInt(text.substring(at, at + 4), 16);
            at += 4;
            return unit;
        } catch (NumberFormatException notHexadecimal) {
            throw malformed("not a character: \\u" + text.substring(at, at + 4));
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw malformed("unexpected character");
        }
        at += word.length();
        return value;
    }

    private Object number() {
        int start = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(start, at);
        try {
            if (digits.indexOf('.') >= 0 || digits.indexOf('e') >= 0 || digits.indexOf('E') >= 0) {
                return new BigDecimal(digits);
            }
            if (digits.length() < 10) {
                return Integer.valueOf(digits);
            }
            return whole(new BigInteger(digits));
        } catch (NumberFormatException notOne) {
            at = start;
            throw malformed("unexpected character");
        }
    }

    private static Object whole(BigInteger number) {
        if (number.bitLength() < 32) {
            return number.intValue();
        }
        return number.bitLength() < 64 ? (Object) number.longValue() : number;
    }

    private boolean is(char wanted) {
        space();
        if (at >= text.length() || text.charAt(at) != wanted) {
            return false;
        }
        at++;
        depth -= wanted == '}' || wanted == ']' ? 1 : 0;
        return true;
    }

    private void expect(char wanted) {
        space();
        if (at >= text.length() || text.charAt(at) != wanted) {
            throw malformed("expected " + wanted);
        }
        at++;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private Malformed malformed(String why) {
        return new Malformed(why + " at character " + (at + 1));
    }

    static byte[] bytes(Object value) {
        StringBuilder json = new StringBuilder(256);
        append(json, value);
        return Main.utf8(json.toString());
    }

    private static void append(StringBuilder json, Object value) {
        if (value instanceof Map) {
            char separator = '{';
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                quote(json.append(separator), String.valueOf(entry.getKey()));
                append(json.append(':'), entry.getValue());
                separator = ',';
            }
            json.append(separator == '{' ? "{}" : "}");
        } else if (value instanceof Object[]) {
            append(json, List.of((Object[]) value));
        } else if (value instanceof List) {
            char separator = '[';
            for (Object element : (List<?>) value) {
                append(json.append(separator), element);
                separator = ',';
            }
            json.append(separator == '[' ? "[]" : "]");
        } else if (value instanceof Number && !isFinite((Number) value)) {
            quote(json, value.toString());
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            json.append(value);
        } else {
            quote(json, value.toString());
        }
    }

    private static boolean isFinite(Number number) {
        return !(number instanceof Double || number instanceof Float) || Double.isFinite(number.doubleValue());
    }

    private static void quote(StringBuilder json, String text) {
        json.append('"');
        for (int index = 0; index < text.length(); index++) {
            char character = text.charAt(index);
            switch (character) {
                case '"': json.append("\\\""); break;
                case '\\': json.append("\\\\"); break;
                case '\n': json.append("\\n"); break;
                case '\r': json.append("\\r"); break;
                case '\t': json.append("\\t"); break;
                case '\b': json.append("\\b"); break;
                case '\f': json.append("\\f"); break;
                default:
                    if (character < ' ') {
                        json.append(String.format("\\u%04X", (int) character));
                    } else {
                        json.append(character);
                    }
            }
        }
        json.append('"');
    }
}
