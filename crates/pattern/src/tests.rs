use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{FilterPolicy, MessageAttribute, Pattern, Scope, values_at};

#[track_caller]
fn check(pattern: &str, event: Value, matches: bool) {
    let read = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    assert_eq!(read.matches(&event), matches, "{pattern} against {event}");
}

/// What the field a is compared with, against what it is.
#[track_caller]
fn check_field(tests: &str, value: Value, matches: bool) {
    check(&format!(r#"{{"a":{tests}}}"#), json!({ "a": value }), matches);
}

#[track_caller]
fn refuse(pattern: &str, expected: Expect) {
    expected.assert_eq(&Pattern::parse(pattern).unwrap_err().to_string());
}

#[track_caller]
fn refuse_field(tests: &str, expected: &str) {
    let pattern = format!(r#"{{"a":{tests}}}"#);
    assert_eq!(Pattern::parse(&pattern).unwrap_err().reason(), expected, "{pattern}");
}

#[test]
fn one_of_the_values_is_enough() {
    check_field(r#"["x","y"]"#, json!("y"), true);
    check_field(r#"["x","y"]"#, json!("Y"), false);
    check_field("[5]", json!(5.0), true);
    check_field("[300, 3.5e2]", json!(350), true);
    check_field("[5]", json!("5"), false);
    check_field("[123456789012]", json!(123_456_789_012_u64), true);
    check_field("[9007199254740993]", json!(9_007_199_254_740_992_u64), false);
    check_field("[true]", json!(true), true);
    check_field("[true]", json!("true"), false);
    check_field("[null]", Value::Null, true);
    check_field(r#"[""]"#, json!(""), true);
    check_field(r#"[""]"#, Value::Null, false);
    check("{\"a\":[null]}", json!({}), false);
}

#[test]
fn every_field_must_match() {
    let pattern = r#"{"source":["aws.s3"],"detail":{"bucket":{"name":["b"]}}}"#;
    check(pattern, json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}}, "more": 1}), true);
    check(pattern, json!({"source": "aws.s3", "detail": {"bucket": {"name": "c"}}}), false);
    check(pattern, json!({"source": "aws.s3", "detail": "b"}), false);
    check(pattern, json!({"source": "aws.s3"}), false);
    check(pattern, json!("aws.s3"), false);
}

#[test]
fn text_operators() {
    check_field(r#"[{"prefix":"ab"}]"#, json!("abc"), true);
    check_field(r#"[{"prefix":"ab"}]"#, json!("cab"), false);
    check_field(r#"[{"prefix":""}]"#, json!("x"), true);
    check_field(r#"[{"prefix":""}]"#, json!(1), false);
    check_field(r#"[{"prefix":{"equals-ignore-case":"aB"}}]"#, json!("Abc"), true);
    check_field(r#"[{"suffix":".png"}]"#, json!("a.png"), true);
    check_field(r#"[{"suffix":".png"}]"#, json!("a.PNG"), false);
    check_field(r#"[{"suffix":{"equals-ignore-case":".png"}}]"#, json!("a.PNG"), true);
    check_field(r#"[{"equals-ignore-case":"Straße"}]"#, json!("STRAßE"), true);
    check_field(r#"[{"equals-ignore-case":"ab"}]"#, json!("abc"), false);
    check_field(r#"[{"exactly":"ab"}]"#, json!("ab"), true);
}

#[test]
fn wildcards() {
    check_field(r#"[{"wildcard":"*"}]"#, json!(""), true);
    check_field(r#"[{"wildcard":"a*"}]"#, json!("a"), true);
    check_field(r#"[{"wildcard":"dir/*/*.png"}]"#, json!("dir/x/y/z.png"), true);
    check_field(r#"[{"wildcard":"dir/*/*.png"}]"#, json!("dir/z.png"), false);
    check_field(r#"[{"wildcard":"a*a"}]"#, json!("a"), false);
    check_field(r#"[{"wildcard":"*ab*ab"}]"#, json!("abab"), true);
    check_field(r#"[{"wildcard":"*ab*ab"}]"#, json!("xab"), false);
    check_field(r#"[{"wildcard":"1\\*\\\\2"}]"#, json!(r"1*\2"), true);
    check_field(r#"[{"wildcard":"1\\*2"}]"#, json!("1x2"), false);
    check_field(r#"[{"wildcard":"*1*"}]"#, json!(1), false);
}

#[test]
fn anything_but() {
    check_field(r#"[{"anything-but":"x"}]"#, json!("y"), true);
    check_field(r#"[{"anything-but":"x"}]"#, json!("x"), false);
    check_field(r#"[{"anything-but":"x"}]"#, json!(1), true);
    check_field(r#"[{"anything-but":["x","y"]}]"#, json!("y"), false);
    check_field(r#"[{"anything-but":[1,2]}]"#, json!(2.0), false);
    check_field(r#"[{"anything-but":[1,2]}]"#, json!("2"), true);
    check_field(r#"[{"anything-but":{"prefix":"x"}}]"#, json!("xy"), false);
    check_field(r#"[{"anything-but":{"prefix":["x","z"]}}]"#, json!("zy"), false);
    check_field(r#"[{"anything-but":{"suffix":"x"}}]"#, json!("xy"), true);
    check_field(r#"[{"anything-but":{"equals-ignore-case":["x"]}}]"#, json!("X"), false);
    check_field(r#"[{"anything-but":{"wildcard":"*/x/*"}}]"#, json!("a/x/b"), false);
    check_field(r#"[{"anything-but":{"wildcard":"*/x/*"}}]"#, json!("a/y/b"), true);
    check(r#"{"a":[{"anything-but":"x"}]}"#, json!({}), false);
    // Any other element will do.
    check_field(r#"[{"anything-but":"x"}]"#, json!(["x", "y"]), true);
    check_field(r#"[{"anything-but":"x"}]"#, json!(["x"]), false);
}

#[test]
fn numbers_in_ranges() {
    check_field(r#"[{"numeric":["=",1e1]}]"#, json!(10), true);
    check_field(r#"[{"numeric":[">",0,"<=",5]}]"#, json!(5), true);
    check_field(r#"[{"numeric":[">",0,"<=",5]}]"#, json!(0), false);
    check_field(r#"[{"numeric":[">=",0.5]}]"#, json!(0.5), true);
    check_field(r#"[{"numeric":["<",-1]}]"#, json!(-1.5), true);
    check_field(r#"[{"numeric":["<",-1]}]"#, json!("-2"), false);
}

#[test]
fn addresses() {
    check_field(r#"[{"cidr":"10.0.0.0/24"}]"#, json!("10.0.0.255"), true);
    check_field(r#"[{"cidr":"10.0.0.0/24"}]"#, json!("10.0.1.0"), false);
    check_field(r#"[{"cidr":"10.0.0.8/24"}]"#, json!("10.0.0.7"), false);
    check_field(r#"[{"cidr":"0.0.0.0/0"}]"#, json!("255.255.255.255"), true);
    check_field(r#"[{"cidr":"2001:db8::/32"}]"#, json!("2001:db8:1::1"), true);
    check_field(r#"[{"cidr":"::/0"}]"#, json!("10.0.0.1"), false);
    check_field(r#"["2001:db8:0:0::1"]"#, json!("2001:db8::1"), true);
    check_field(r#"["10.0.0.1"]"#, json!("10.0.0.1"), true);
}

#[test]
fn presence_and_absence_are_of_values() {
    check_field(r#"[{"exists":true}]"#, Value::Null, true);
    check_field(r#"[{"exists":true}]"#, json!({"b": 1}), false);
    check_field(r#"[{"exists":true}]"#, json!([]), false);
    check_field(r#"[{"exists":false}]"#, json!(1), false);
    check(r#"{"a":[{"exists":false}]}"#, json!({"b": 1}), true);
    check(r#"{"a":{"b":[{"exists":false}]}}"#, json!({}), true);
    check(r#"{"a":{"b":[{"exists":false},"x"]}}"#, json!({"a": {"b": "x"}}), true);
    check(r#"{"a":{"b":[{"exists":false},"x"]}}"#, json!({"a": {"b": "y"}}), false);
    // Absence is asked of the whole event.
    check(r#"{"a":{"b":[{"exists":false}]}}"#, json!({"a": [{"b": 1}, {"c": 1}]}), false);
}

#[test]
fn fields_of_an_array_are_found_in_one_element() {
    let pattern = r#"{"a":{"b":[1],"c":[2]}}"#;
    check(pattern, json!({"a": [{"b": 1, "c": 9}, {"b": 1, "c": 2}]}), true);
    check(pattern, json!({"a": [{"b": 1}, {"c": 2}]}), false);
    check(pattern, json!({"a": [[{"b": 1, "c": 2}]]}), true);
    check_field(r#"["x"]"#, json!(["y", ["x"]]), true);
    check_field(r#"["x"]"#, json!([]), false);
}

#[test]
fn alternatives() {
    let pattern = r#"{"s":["x"],"d":{"$or":[{"a":[1]},{"b":[2],"c":[3]}]}}"#;
    check(pattern, json!({"s": "x", "d": {"a": 1}}), true);
    check(pattern, json!({"s": "x", "d": {"b": 2, "c": 3}}), true);
    check(pattern, json!({"s": "x", "d": {"b": 2}}), false);
    check(pattern, json!({"s": "y", "d": {"a": 1}}), false);
    check(r#"{"$or":[{"a":[1]},{"$or":[{"b":[1]},{"c":[1]}]}]}"#, json!({"c": 1}), true);
}

#[test]
fn a_dot_in_a_name_is_a_dot_or_a_step() {
    check(r#"{"a.b":[1]}"#, json!({"a.b": 1}), true);
    check(r#"{"a.b":[1]}"#, json!({"a": {"b": 1}}), true);
    check(r#"{"a.b":[1]}"#, json!({"a": [{"b": 2}, {"b": 1}]}), true);
    check(r#"{"a.b":[{"exists":false}]}"#, json!({"a": {"b": 1}}), false);
}

#[test]
fn of_a_field_named_twice_the_last_is_meant() {
    check(r#"{"a":[1],"a":[2]}"#, json!({"a": 2}), true);
    check(r#"{"a":[1],"a":[2]}"#, json!({"a": 1}), false);
    check(r#"{"a":{"b":[1]},"a":{"c":[2]}}"#, json!({"a": {"b": 1, "c": 2}}), true);
    check(r#"{"a":{"b":[1]},"a":{"c":[2]}}"#, json!({"a": {"c": 2}}), false);
}

#[test]
fn errors_name_the_place() {
    refuse(
        r#"{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}"#,
        expect![[r#"
            "lenderId" must be an object or an array
             at [Source: (String)"{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}"; line: 1, column: 56]"#]],
    );
    refuse(
        r#"{"price":[{"numeric":["<","100"]}]}"#,
        expect![[r#"
            Value of < must be numeric
             at [Source: (String)"{"price":[{"numeric":["<","100"]}]}"; line: 1, column: 28]"#]],
    );
    refuse(
        "",
        expect![[r#"
            Filter is not an object
             at [Source: (String)""; line: 1, column: 1]"#]],
    );
    refuse(
        "{\n \"a\": [[1]]}",
        expect![[r#"
            Match value must be String, number, true, false, or null
             at [Source: (String)"{
             "a": [[1]]}"; line: 2, column: 9]"#]],
    );
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(600));
    assert!(Pattern::parse(&long).unwrap_err().to_string().contains("x\"[truncated 108 chars]; line: 1"));
}

#[test]
fn what_is_no_json_is_told_apart() {
    for text in [
        "{",
        "{invalidjson}",
        "{\"a\":[1,]}",
        "{\"a\" [1]}",
        "{\"a\":[1]} x",
        "{\"a\":[01]}",
        "{\"a\":[\"\\x\"]}",
    ] {
        assert!(Pattern::parse(text).unwrap_err().is_malformed(), "{text}");
    }
    refuse(
        "{invalidjson}",
        expect![[r#"
            Unexpected character ('i' (code 105)): was expecting double-quote to start field name
             at [Source: (String)"{invalidjson}"; line: 1, column: 3]"#]],
    );
    assert!(!Pattern::parse("[]").unwrap_err().is_malformed());
}

#[test]
fn what_the_language_does_not_have_is_refused() {
    refuse_field("{}", "Empty objects are not allowed");
    refuse_field("[]", "Empty arrays are not allowed");
    refuse_field("[{}]", "Match expression name not found");
    refuse_field(r#"[{"like":"x"}]"#, "Unrecognized match type like");
    refuse_field(r#"[{"prefix":1}]"#, "prefix match pattern must be a string");
    refuse_field(r#"[{"prefix":{"suffix":"x"}}]"#, "Unsupported prefix pattern: suffix");
    refuse_field(r#"[{"suffix":{}}]"#, "Suffix expression name not found");
    refuse_field(r#"[{"prefix":"x","suffix":"y"}]"#, "Only one key allowed in match expression");
    refuse_field(r#"[{"exists":"yes"}]"#, "exists match pattern must be either true or false.");
    refuse_field(r#"[{"wildcard":"a**"}]"#, "Consecutive wildcard characters at pos 2");
    refuse_field(r#"[{"wildcard":"a\\b"}]"#, "Invalid escape character at pos 2");
    refuse_field(r#"[{"cidr":"10.0.0.0"}]"#, "Malformed CIDR, one '/' required");
    refuse_field(r#"[{"cidr":"10.0.0.0/32"}]"#, "IPv4 mask bits must be < 32");
    refuse_field(r#"[{"cidr":"x/8"}]"#, "Nonstandard IP address: x");
    refuse_field(r#"[{"numeric":5}]"#, "Value of numeric must be an array.");
    refuse_field(r#"[{"numeric":[]}]"#, "Invalid member in numeric match: ]");
    refuse_field(r#"[{"numeric":[5]}]"#, "Invalid member in numeric match: 5");
    refuse_field(r#"[{"numeric":["!",5]}]"#, "Unrecognized numeric range operator: !");
    refuse_field(r#"[{"numeric":["=","5"]}]"#, "Value of equals must be numeric");
    refuse_field(r#"[{"numeric":["<",5,">",1]}]"#, "Too many elements in numeric expression");
    refuse_field(r#"[{"numeric":[">",5,">",1]}]"#, "Bad numeric range operator: >");
    refuse_field(r#"[{"numeric":[">",5,6]}]"#, "Bad value in numeric range: 6");
    refuse_field(r#"[{"numeric":[">",5,"<",5]}]"#, "Bottom must be less than top");
    refuse_field(r#"[{"numeric":[">",1,"<",2,3]}]"#, "Too many terms in numeric range expression");
    refuse_field(r#"[{"numeric":["=",6e9]}]"#, "Value must be between -5.0E9 and 5.0E9, inclusive");
    refuse_field(
        r#"[{"anything-but":null}]"#,
        "Value of anything-but must be an array or single string/number value.",
    );
    refuse_field(r#"[{"anything-but":{"cidr":"x"}}]"#, "Unsupported anything-but pattern: cidr");
    refuse_field(r#"[{"anything-but":{"prefix":""}}]"#, "Null prefix/suffix not allowed");
    refuse_field(
        r#"[{"anything-but":["x",1]}]"#,
        "Inside anything but list, either all values are number or string, mixed type is not supported",
    );
    refuse_field(
        r#"[{"anything-but":[true]}]"#,
        "Inside anything but list, start|null|boolean is not supported.",
    );
    for (pattern, reason) in [
        (r#"{"$or":{}}"#, "It must be an Array followed with $or."),
        (r#"{"$or":[{"a":[1]}]}"#, "There must have at least 2 Objects in $or relationship."),
        (r#"{"$or":[1,2]}"#, "Only JSON object is allowed in array of $or relationship."),
        (
            r#"{"$or":[{"prefix":["a"]},{"b":[1]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        ),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err().reason(), reason);
    }
}

#[test]
fn nesting_has_a_bound() {
    let nested = |depth: usize| format!("{}{}{}", "{\"a\":".repeat(depth), "[1]", "}".repeat(depth));
    assert!(Pattern::parse(&nested(127)).is_ok());
    assert!(Pattern::parse(&nested(128)).unwrap_err().reason().contains("nesting depth (129)"));
    assert!(Pattern::parse(&"[".repeat(100_000)).is_err());
}

fn attributes(policy: &str, data_type: &str, value: &str) -> bool {
    let attribute = MessageAttribute { data_type, string_value: Some(value) };
    FilterPolicy::parse(policy, Scope::MessageAttributes).unwrap().matches([("a.b", attribute)], "")
}

#[test]
fn a_filter_policy_sees_attributes_by_their_type() {
    assert!(attributes(r#"{"a.b":["x"]}"#, "String", "x"));
    assert!(attributes(r#"{"a.b":["x"]}"#, "String.label", "x"));
    assert!(attributes(r#"{"a.b":["x"]}"#, "String.Array", r#"["y","x"]"#));
    assert!(attributes(r#"{"a.b":[null]}"#, "String.Array", "[null]"));
    assert!(!attributes(r#"{"a.b":["x"]}"#, "String.Array", "x"));
    assert!(attributes(r#"{"a.b":[{"numeric":[">",1]}]}"#, "Number", "1.5"));
    assert!(!attributes(r#"{"a.b":[1]}"#, "String", "1"));
    assert!(!attributes(r#"{"a.b":[{"exists":true}]}"#, "Binary", "x"));
    assert!(attributes(r#"{"c":[{"exists":false}]}"#, "String", "x"));
}

#[test]
fn a_filter_policy_about_bodies_wants_an_object() {
    let policy = FilterPolicy::parse(r#"{"a":{"b":["x"]}}"#, Scope::MessageBody).unwrap();
    assert!(policy.matches([], r#"{"a":[{"b":"x"}]}"#));
    assert!(!policy.matches([], r#"{"a":{"b":"y"}}"#));
    let absent = FilterPolicy::parse(r#"{"a":[{"exists":false}]}"#, Scope::MessageBody).unwrap();
    for body in ["x", "[]", "1"] {
        assert!(!absent.matches([], body), "{body}");
    }
}

#[test]
fn filter_policies_have_limits_of_their_own() {
    let refuse = |policy: &str, scope, expected: &str| {
        let error = FilterPolicy::parse(policy, scope).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let (attributes, body) = (Scope::MessageAttributes, Scope::MessageBody);
    refuse("{invalidjson}", attributes, "FilterPolicy: failed to parse JSON. Unexpected character");
    refuse(r#"{"a":"x"}"#, attributes, "FilterPolicy: \"a\" must be an object or an array\n at [Source");
    refuse(
        r#"{"a":{"b":["x"]}}"#,
        attributes,
        "Filter policy scope MessageAttributes does not support nested filter policy",
    );
    let keys: Vec<String> = (0..6).map(|key| format!(r#""k{key}":[1]"#)).collect();
    let six = format!("{{{}}}", keys.join(","));
    refuse(&six, body, "FilterPolicy: Filter policy can not have more than 5 keys");
    // AWS's example: 3 levels x 4 values x 2 levels x 3 values.
    let example = r#"{"a":{"b":{"c":[1,2,3,4]}},"d":{"e":[1,2,3]}}"#;
    assert!(FilterPolicy::parse(example, body).is_ok());
    refuse(
        r#"{"a":{"b":{"c":[1,2,3,4]}},"d":{"e":[1,2,3,4,5,6,7]}}"#,
        body,
        "FilterPolicy: Filter policy is too complex",
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-9_i64..9).prop_map(Value::from),
        prop_oneof![
            "[a-c*.\\\\/0-9:é]{0,6}",
            Just("=".to_owned()),
            Just(">".to_owned()),
            Just("<".to_owned())
        ]
        .prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("a"),
        Just("b"),
        Just("a.b"),
        Just("$or"),
        Just("prefix"),
        Just("suffix"),
        Just("anything-but"),
        Just("numeric"),
        Just("exists"),
        Just("cidr"),
        Just("wildcard"),
        Just("equals-ignore-case"),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..3)
                .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn no_broken_json_makes_it_panic(json in any_json(), at in any::<prop::sample::Index>(), with in "\\PC") {
        let mut text = json.to_string();
        let at = at.index(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &with);
        }
        let _ = Pattern::parse(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_pattern_and_event_make_it_panic(patterns in prop::collection::vec(any_json(), 1..3), event in any_json()) {
        for pattern in patterns {
            if let Ok(pattern) = Pattern::parse(&json!({"a": pattern}).to_string()) {
                pattern.matches(&event);
                pattern.matches(&json!({"a": event}));
            }
        }
    }

    /// A value equals itself, however it is nested and spelt.
    #[test]
    fn a_value_matches_itself(text in "\\PC{0,12}", number in -1_000_000_000_i64..1_000_000_000) {
        let event = json!({"a": {"b": [text]}, "c": number});
        let pattern = Pattern::parse(&json!({"a": {"b": [text]}, "c": [number]}).to_string()).unwrap();
        prop_assert!(pattern.matches(&event));
    }

    /// What a pattern needs is in every event that it matches: rules are looked for by that alone.
    #[test]
    fn what_matches_has_what_is_needed(
        wanted in prop::collection::vec(prop::sample::select(vec!["x", "y", "z"]), 1..3),
        name in prop::sample::select(vec!["a", "b", "a.b", "b.a"]),
        event in nested(),
    ) {
        for pattern in [json!({name: wanted}), json!({"a": {name: wanted}}), json!({"b": {name: wanted}, "a": [{"exists": true}]})] {
            let pattern = Pattern::parse(&pattern.to_string()).unwrap();
            for need in pattern.needs() {
                let has = need.test().passes(&values_at(&event, &need.path));
                prop_assert!(has || !pattern.matches(&event), "{:?} in {}", need, event);
            }
        }
    }
}

/// Events of few names and texts, so that patterns of the same match them now and then.
fn nested() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["x", "y", "z"]).prop_map(Value::from),
        Just(json!(1)),
        Just(Value::Null)
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(
                prop::sample::select(vec!["a", "b", "a.b"]).prop_map(str::to_owned),
                inner,
                0..3
            )
            .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
