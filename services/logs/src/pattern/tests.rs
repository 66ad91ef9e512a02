//! Which patterns match which messages. The documented examples are among them.

use proptest::prelude::*;

use super::Pattern;

#[track_caller]
fn check(pattern: &str, matching: &[&str], other: &[&str]) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern} is a pattern"));
    for message in matching {
        assert!(parsed.matches(message), "{pattern} matches {message}");
    }
    for message in other {
        assert!(!parsed.matches(message), "{pattern} does not match {message}");
    }
}

#[track_caller]
fn check_invalid(patterns: &[&str]) {
    for pattern in patterns {
        assert!(Pattern::parse(pattern).is_err(), "{pattern} is not a pattern");
    }
}

#[test]
fn an_empty_pattern_matches_everything() {
    for pattern in ["", "   ", r#""""#, r#"" ""#] {
        check(pattern, &["", "anything", "a b"], &[]);
    }
}

#[test]
fn terms_must_all_be_there_with_their_case_anywhere_in_the_message() {
    check("ERROR", &["[ERROR 400] BAD REQUEST", "Exiting with ERRORCODE: -1"], &["an error", ""]);
    check(
        "ERROR ARGUMENTS",
        &["[ERROR 419] MISSING ARGUMENTS", "ARGUMENTS ERROR"],
        &["[ERROR 400] BAD REQUEST"],
    );
    check("größe_1", &["die größe_1"], &["die groesse_1"]);
}

#[test]
fn a_phrase_in_quotes_is_one_term() {
    check(r#""INTERNAL SERVER ERROR""#, &["500 INTERNAL SERVER ERROR"], &["INTERNAL ERROR ON SERVER"]);
    check(r#""[ERROR]" Exception"#, &["[ERROR] InvalidQueryException"], &["ERROR Exception", "[ERROR] exit"]);
    check(r#""say \"hi\"""#, &[r#"they say "hi""#], &["they say hi"]);
    check(r#""a\\b""#, &[r"a\b"], &["ab"]);
    check(r#""a\nb""#, &[r"a\nb"], &["a\nb"]);
}

#[test]
fn optional_terms_need_one_and_excluded_terms_none() {
    check("?ERROR ?WARN", &["ERROR WARN message", "ERROR message", "WARN message"], &["INFO message"]);
    check("ERROR -WARN", &["ERROR message"], &["ERROR WARN message", "WARN message"]);
    check("-ERROR", &["INFO", ""], &["ERROR"]);
    check(r#""ERROR" - "Exiting""#, &["ERROR here"], &["Exiting with ERRORCODE"]);
    check(r#"?"a b" ?c"#, &["a b", "c"], &["a", "b a"]);
}

#[test]
fn optional_terms_are_ignored_next_to_others() {
    check(
        "?ERROR ?ARGUMENTS REQUEST",
        &["INFO REQUEST FAILED", "ERROR BAD REQUEST"],
        &["ERROR MISSING ARGUMENTS"],
    );
}

#[test]
fn terms_with_other_characters_need_quotes() {
    check_invalid(&[
        "foo-bar",
        "a.b",
        "6f747a4b-1",
        "a:b",
        "(a)",
        "a\"b\"",
        "\"a\"b",
        "?",
        "-",
        "a -",
        "--a",
        "\"open",
        "%a%b",
    ]);
}

#[test]
fn what_is_wrong_with_a_pattern_is_said_in_the_services_words() {
    for (pattern, message) in [
        ("foo-bar", "Invalid character(s) in term '-'"),
        ("ERROR (x)", "Invalid character(s) in term '('"),
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("[a, b", "If a filter pattern starts with '[' it must end with ']'"),
        ("{ $.a == 1 }", "Invalid filter pattern"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err().to_string(), message, "{pattern}");
    }
}

#[test]
fn a_regular_expression_matches_anywhere_unless_anchored() {
    check("%AUTHORIZED%", &["[ERROR 401] UNAUTHORIZED REQUEST", "AUTHORIZED"], &["authorized"]);
    check("%^[hc]at%", &["hat trick"], &["a hat"]);
    check("%[hc]at$%", &["the cat", "the cat\n"], &["cats", "cat\n\n"]);
    check("%colou?r%", &["color", "colour"], &["colouur"]);
    check("%^a{3,5}$%", &["aaaa"], &["aa", "aaaaaa"]);
    check("%gra|ey%", &["gra", "grey"], &["gry"]);
    check("%^starting|^shutting down%", &["shutting down now"], &["not starting"]);
    check(r"%\[.\]%", &["value [7] here"], &["[]"]);
    check(r"%\d\s\w\D\S\W%", &["1 a-b!"], &["a"]);
    check(r"%10\.10\.0\.1%", &["from 10.10.0.1"], &["from 10x10x0x1"]);
    check("%a+?b%", &["aab"], &["b"]);
    check(r"%\x3A%", &["key:value"], &["key=value"]);
    check(r"ERROR %t[0-9]+%", &["ERROR t12"], &["ERROR", "t12"]);
}

#[test]
fn regular_expressions_beyond_the_documented_syntax_are_refused() {
    check_invalid(&[
        "%",
        "%%",
        "%abc",
        "%something!%",
        "%(ab)+%",
        r"%\(ab\)%",
        "%café%",
        r"%\p%",
        r"%\b%",
        r"%\1%",
        r"%\x4%",
        r"%\%",
        "%a++%",
        "%a{10}{10}%",
        "%a*{9}%",
        "%a?+%",
        "%[a-z]{9000}%",
        "%a{100000}%",
        "%[a%",
        "%*%",
        "%a% %b% %c%",
        "[a=%x%, b=%y%, c=%z%]",
    ]);
}

const EVENT: &str = r#"{
    "eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true, "off": false,
    "cluster.name": "c", "count": 3, "ratio": 0.25, "digits": "3", "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"], "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]], "big": 1000
}"#;

#[track_caller]
fn check_event(matching: &[&str], other: &[&str]) {
    for pattern in matching {
        check(pattern, &[EVENT], &["not json", "", "[1]"]);
    }
    for pattern in other {
        check(pattern, &[], &[EVENT]);
    }
}

#[test]
fn json_members_compare_as_text() {
    check_event(
        &[
            r#"{ $.eventType = "UpdateTrail" }"#,
            "{$.eventType=UpdateTrail}",
            "{ $.sourceIPAddress != 123.123.* }",
            "{ $.sourceIPAddress = 111.111.* }",
            "{ $.eventType = *Trail }",
            "{ $.eventType = *dateTr* }",
            r#"{ $.eventType = "*" }"#,
            "{ $.eventType = * }",
            "{ $.eventType = %^Upd[a-z]+T% }",
            "{ $.eventType != %^Delete% }",
            r#"{ $.digits = "3" }"#,
            "{ $.digits = 3 }",
            "{ $.count = \"3\" }",
            "{ $.count = * }",
        ],
        &[
            r#"{ $.eventType = "updatetrail" }"#,
            r#"{ $.eventType != "UpdateTrail" }"#,
            "{ $.sourceIPAddress != 111.111.* }",
            "{ $.eventType = Up*Trail }",
            "{ $.eventType = %Delete% }",
        ],
    );
}

#[test]
fn json_numbers_compare_as_numbers() {
    check_event(
        &[
            "{ $.count = 3 }",
            "{ $.count = 3.0 }",
            "{ $.count = +3 }",
            "{ $.count = 30e-1 }",
            "{ $.count != 4 }",
            "{ $.count < 3.5 }",
            "{ $.count <= 3 }",
            "{ $.count >= 3 }",
            "{ $.count > -1 }",
            "{ $.ratio = .25 }",
            "{ $.big = 1e+3 }",
            "{ $.big = 1E3 }",
            "{ $.big = 1* }",
        ],
        &[
            "{ $.count > 3 }",
            "{ $.count < 3 }",
            "{ $.count != 3 }",
            "{ $.digits > 2 }",
            "{ $.eventType < 5 }",
        ],
    );
}

#[test]
fn json_keywords_test_for_truth_null_and_absence() {
    check_event(
        &[
            "{ $.ThisFlag IS TRUE }",
            "{ $.off IS FALSE }",
            "{ $.SomeObject IS NULL }",
            "{ $.missing NOT EXISTS }",
        ],
        &[
            "{ $.ThisFlag IS FALSE }",
            "{ $.eventType IS NULL }",
            "{ $.missing IS NULL }",
            "{ $.SomeObject NOT EXISTS }",
            "{ $.eventType NOT EXISTS }",
            "{ $.count IS TRUE }",
        ],
    );
}

#[test]
fn json_selectors_reach_into_arrays_and_odd_names() {
    check_event(
        &[
            r#"{ $.arrayKey[0] = "value" }"#,
            "{ $.objectList[1].id = 2 }",
            "{ $.objectList[*].id = 2 }",
            r#"{ $.['cluster.name'] = "c" }"#,
            r#"{ $["cluster.name"] = "c" }"#,
            "{ $.coordinates[1][2] = 6 }",
            "{ $.arrayKey[*] = %val.{2}% }",
            "{ $.* = %^111% }",
            "{ $.user.email = *@example.com || $.a = 1 }"
                .replace("*@example.com", "\"*@example.com\"")
                .as_str(),
        ],
        &[
            r#"{ $.arrayKey[1] = "value" }"#,
            "{ $.arrayKey[9] = * }",
            "{ $.eventType[0] = * }",
            "{ $.objectList[*].id = 7 }",
        ],
    );
}

#[test]
fn json_objects_arrays_booleans_null_and_missing_members_compare_to_nothing() {
    check_event(
        &[],
        &[
            "{ $.arrayKey = 1 }",
            "{ $.arrayKey != 1 }",
            "{ $.user != 1 }",
            "{ $.missing != 1 }",
            "{ $.ThisFlag = true }",
            "{ $.SomeObject = * }",
            "{ $.SomeObject != 1 }",
        ],
    );
}

#[test]
fn json_conditions_combine_with_the_usual_precedence() {
    check_event(
        &[
            r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#,
            r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }"#,
            "{ (($.count = 3)) }",
            r#"{ $.eventType = "UpdateTrail" && ($.count > 3 || $.ratio != 4) }"#,
            "{$.count=3&&$.ratio<1||$.a=1}",
        ],
        &[
            r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }"#,
            r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#,
        ],
    );
}

#[test]
fn malformed_json_patterns_are_refused() {
    check_invalid(&[
        "{",
        "{}",
        "{ $.a = }",
        "{ $.a }",
        "{ $.a = 1",
        "{ $.a = 1 } more",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a == 1 }",
        "{ $.a = 1 && }",
        "{ && $.a = 1 }",
        "{ ($.a = 1 }",
        "{ $.a = 1) }",
        "{ $.a IS MAYBE }",
        "{ $.a EXISTS }",
        "{ $.aIS TRUE }",
        "{ $.a[x] = 1 }",
        "{ $.a[] = 1 }",
        "{ $.a = \"open }",
        "{ $.a > b }",
        "{ $.a > \"1\" }",
        "{ $.a < %1% }",
        "{ $.a[99999999999999999999] = 1 }",
        "{ $.*[*] = a }",
        "{ $.a. = 1 }",
        "{ $.a = a@b }",
        "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }",
        "{ $.a = %x% || $.b = %y% || $.c = %z% }",
    ]);
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(400), ")".repeat(400));
    check_invalid(&[&deep]);
}

const APACHE: &str =
    r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;

#[test]
fn columns_are_the_fields_between_spaces_brackets_and_quotes() {
    for pattern in [
        "[ip, user, username, timestamp, request, status_code, bytes]",
        "[ip, user, username, timestamp = \"10/Oct/2000:13:25:15 -0700\", request, status_code, bytes]",
        "[ip, user, username, timestamp, request = *.html*, status_code = 4*, bytes]",
        "[ip, user, username, timestamp, request, status_code = 404 && status_code != 500, bytes > 1000]",
        "[ip, user, username, timestamp, request, status_code = 403 || status_code = 404, bytes]",
        r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]",
        "[ip, user, username, timestamp, request = \"GET /index.html HTTP/1.0\", status_code, bytes = 1534.0]",
        "[(ip = 10.* || ip = 127.*) && ip != 127.0.0.2, ...]",
    ] {
        check(pattern, &[APACHE], &["", "one"]);
    }
    check("[ip, user, username, timestamp, request, status_code, bytes > 2000]", &[], &[APACHE]);
    check("[ip, user, username, timestamp, request, status_code = 5*, bytes]", &[], &[APACHE]);
}

#[test]
fn an_ellipsis_stands_for_any_number_of_fields() {
    for pattern in [
        "[..., status_code, bytes]",
        "[ip, user, ..., status_code = 404, bytes]",
        "[ip=127*, user, ...]",
        "[...]",
        "[]",
    ] {
        check(pattern, &[APACHE], &[]);
    }
    check("[..., request=*.html*, status_code=4*,]", &[APACHE], &["a b c"]);
    check("[a, ..., b]", &["x y", "x y z"], &["x"]);
    check("[..., bytes > 100]", &["x 101"], &["x 100", "x many"]);
}

#[test]
fn without_an_ellipsis_the_last_column_takes_the_rest() {
    check("[w1=ERROR, w2]", &["ERROR message", "ERROR a message of words\n"], &["INFO message", "ERROR"]);
    check("[w1=ERROR || w1=WARN, w2]", &["WARN message", "ERROR x y"], &["INFO WARN"]);
    check("[w1!=ERROR&&w1!=WARN, w2]", &["INFO ERROR message"], &["ERROR x", "WARN x"]);
    check("[a, b=\"two three\"]", &["one two three", "one two three "], &["one two", "one two  three"]);
}

#[test]
fn malformed_column_patterns_are_refused() {
    check_invalid(&[
        "[",
        "[a",
        "[a, ",
        "[a] more",
        "[a = ]",
        "[a = 1 ||]",
        "[a = 1 || b = 2]",
        "[1a]",
        "[a b]",
        "[..., a, ...]",
        "[a = \"open]",
        "[a > b]",
        "[(a = 1]",
        "[a, = 1]",
        "[..]",
    ]);
    let deep = format!("[{}a = 1{}]", "(".repeat(400), ")".repeat(400));
    check_invalid(&[&deep]);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_or_a_match_panic(pattern in any::<String>(), message in any::<String>()) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }

    #[test]
    fn no_mix_of_the_syntax_makes_the_parser_or_a_match_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "(", ")", "$", ".", "a", "é", "1", "1e", "-", "?", "\"", "\\", "%", "*", ",", "...",
                " ", "=", "!=", "<=", ">", "&&", "||", "IS", "NULL", "NOT", "EXISTS", "$.a", "$.b[0]", "'",
            ]),
            0..24,
        ),
        message in prop_oneof![Just(EVENT.to_owned()), Just(APACHE.to_owned()), any::<String>()],
    ) {
        if let Ok(pattern) = Pattern::parse(&parts.concat()) {
            pattern.matches(&message);
        }
    }

    #[test]
    fn any_words_find_the_messages_that_hold_them(words in prop::collection::vec("[a-zA-Z0-9_]{1,8}", 1..5)) {
        let pattern = Pattern::parse(&words.join(" ")).unwrap();
        prop_assert!(pattern.matches(&words.concat()));
    }
}
