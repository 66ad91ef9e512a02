//! Every operator, with a key that fits, one that does not and one that is not there.

use proptest::prelude::*;

use super::*;
use crate::Value;

#[track_caller]
fn holds(operator: &str, wanted: &[&str], value: Option<Value>) -> bool {
    let parsed = Operator::parse(operator).unwrap_or_else(|| panic!("{operator}"));
    let wanted: Vec<Pattern> = wanted.iter().map(|wanted| Pattern::new(wanted)).collect();
    let accepts = |wanted: &Pattern| parsed.comparison().is_none_or(|comparison| comparison.accepts(wanted));
    assert!(wanted.iter().all(accepts), "{operator} {wanted:?}");
    let condition = Condition { operator: parsed, key: "aws:Key".to_owned(), wanted };
    let context = Context::new().with("aws:username", "sam").with_some("AWS:key", value);
    condition.holds(&context, Kind::Identity) == Truth::Yes
}

type Texts = &'static [&'static str];

/// Of each operator: what it wants, what fits, what does not.
const OPERATORS: &[(&str, Texts, Texts, Texts)] = &[
    ("StringEquals", &["a", "b*", "${aws:username}"], &["a", "b*", "sam"], &["A", "bc", "c"]),
    ("StringEqualsIgnoreCase", &["Ab"], &["ab", "AB"], &["a"]),
    (
        "StringLike",
        &["a*c", "?", "home/${aws:username}/*"],
        &["abc", "x", "home/sam/1"],
        &["ab", "home/tom/1"],
    ),
    ("NumericEquals", &["10", "1.5"], &["10", "10.0", "1.50"], &["1", "x", ""]),
    ("NumericLessThan", &["10"], &["9.9", "-1"], &["10", "11"]),
    ("NumericLessThanEquals", &["10"], &["10", "9"], &["10.1"]),
    ("NumericGreaterThan", &["10"], &["11"], &["10", "2"]),
    ("NumericGreaterThanEquals", &["10"], &["10", "11"], &["9"]),
    (
        "DateEquals",
        &["2026-11-20T00:00:00Z"],
        &["2026-11-20", "1795132800", "2026-11-20T01:00:00+01:00"],
        &["2026-11-21"],
    ),
    ("DateLessThan", &["2026-11-20"], &["2026-11-19T23:59:59Z", "0"], &["2026-11-20T00:00:00Z"]),
    ("DateLessThanEquals", &["2026-11-20"], &["2026-11-20T00:00:00Z"], &["2026-11-20T00:00:01Z"]),
    (
        "DateGreaterThan",
        &["2026-11-20T12:00:00"],
        &["2026-11-20T12:00:01Z"],
        &["2026-11-20T12:00:00Z", "no date"],
    ),
    ("DateGreaterThanEquals", &["1795132800"], &["2026-11-20"], &["2026-11-19"]),
    ("Bool", &["true"], &["true", "TRUE"], &["false", "1"]),
    ("BinaryEquals", &["QmluYXJ5"], &["QmluYXJ5"], &["QmluYXJ6"]),
    (
        "IpAddress",
        &["203.0.113.0/24", "2001:db8::/32", "10.0.0.1"],
        &["203.0.113.7", "2001:db8:1::1", "10.0.0.1", "::ffff:203.0.113.9"],
        &["203.0.114.1", "2001:db9::1", "10.0.0.2", "x"],
    ),
    (
        "ArnLike",
        &["arn:aws:s3:::bucket-*", "arn:aws:sns:*:111111111111:t"],
        &["arn:aws:s3:::bucket-1/key", "arn:aws:sns:us-east-1:111111111111:t"],
        &["arn:aws:s3:::other", "arn:aws:sns:us-east-1:222222222222:t"],
    ),
    ("ArnEquals", &["arn:aws:s3:::b?"], &["arn:aws:s3:::b1"], &["arn:aws:s3:::b"]),
];

/// The operator that is true exactly where another is not.
const NEGATIONS: &[(&str, &str)] = &[
    ("StringEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringLike", "StringNotLike"),
    ("NumericEquals", "NumericNotEquals"),
    ("DateEquals", "DateNotEquals"),
    ("IpAddress", "NotIpAddress"),
    ("ArnLike", "ArnNotLike"),
    ("ArnEquals", "ArnNotEquals"),
];

#[test]
fn an_operator_holds_of_what_fits() {
    for (operator, wanted, fit, others) in OPERATORS {
        for value in *fit {
            assert!(holds(operator, wanted, Some((*value).into())), "{operator} {value}");
        }
        for value in *others {
            assert!(!holds(operator, wanted, Some((*value).into())), "{operator} {value}");
        }
        assert!(!holds(operator, wanted, None), "{operator} of nothing");
        assert!(holds(&format!("{operator}IfExists"), wanted, None), "{operator} if it exists");
    }
}

#[test]
fn a_negation_holds_of_all_else_and_of_nothing() {
    for (operator, negation) in NEGATIONS {
        let (_, wanted, fit, others) = OPERATORS.iter().find(|(name, ..)| name == operator).unwrap();
        assert!(fit.iter().all(|value| !holds(negation, wanted, Some((*value).into()))), "{negation}");
        assert!(others.iter().all(|value| holds(negation, wanted, Some((*value).into()))), "{negation}");
        assert!(holds(negation, wanted, None), "{negation}");
    }
}

#[test]
fn null_asks_whether_a_key_is_there() {
    assert!(holds("Null", &["true"], None) && !holds("Null", &["false"], None));
    assert!(holds("Null", &["false"], Some("x".into())) && !holds("Null", &["true"], Some("x".into())));
}

#[test]
fn sets_ask_about_all_values_or_any() {
    let many = |values: &[&str]| Some(Value::Many(values.iter().map(|value| (*value).to_owned()).collect()));
    for (operator, values, expected) in [
        ("ForAllValues:StringEquals", many(&["a", "b"]), true),
        ("ForAllValues:StringEquals", many(&["a", "x"]), false),
        ("ForAllValues:StringEquals", many(&[]), true),
        ("ForAllValues:StringEquals", None, true),
        ("ForAnyValue:StringEquals", many(&["a", "x"]), true),
        ("ForAnyValue:StringEquals", many(&["x", "y"]), false),
        ("ForAnyValue:StringEquals", many(&[]), false),
        ("ForAnyValue:StringEquals", None, false),
        ("ForAllValues:StringNotEquals", many(&["x", "y"]), true),
        ("ForAllValues:StringNotEquals", many(&["x", "a"]), false),
        ("ForAnyValue:StringNotEquals", many(&["x", "a"]), true),
        ("ForAnyValue:StringNotEquals", many(&["a", "b"]), false),
        ("forallvalues:stringlikeifexists", None, true),
    ] {
        assert_eq!(holds(operator, &["a", "b"], values.clone()), expected, "{operator} {values:?}");
    }
}

#[test]
fn what_is_no_operator_is_none() {
    for name in
        ["", "Equals", "StringEqual", "ForSome:StringEquals", "ForAllValues:Null", "NumericLike", "Date"]
    {
        assert_eq!(Operator::parse(name), None, "{name}");
    }
}

#[test]
fn an_open_context_leaves_open_what_is_not_there() {
    let operator = Operator::parse("StringEquals").unwrap();
    let condition = Condition { operator, key: "k".to_owned(), wanted: vec![Pattern::new("a")] };
    assert_eq!(condition.holds(&Context::open(), Kind::Resource), Truth::Unknown);
    assert_eq!(condition.holds(&Context::open().with("k", "b"), Kind::Resource), Truth::No);
}

#[test]
fn the_function_behind_a_session_is_a_secret_to_resource_policies() {
    let operator = Operator::parse("ArnLike").unwrap();
    let key = "Lambda:sourceFunctionArn".to_owned();
    let condition = Condition { operator, key, wanted: vec![Pattern::new("arn:aws:lambda:*:*:function:f")] };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let context = Context::new().with("lambda:SourceFunctionArn", arn);
    assert_eq!(condition.holds(&context, Kind::Identity), Truth::Yes);
    assert_eq!(condition.holds(&context, Kind::Resource), Truth::No);
    assert_eq!(condition.holds(&context, Kind::Trust), Truth::No);
}

proptest! {
    #[test]
    fn a_range_holds_the_addresses_with_its_prefix(first in any::<u32>(), other in any::<u32>(), bits in 0u32..=32) {
        let (first, other) = (std::net::Ipv4Addr::from(first), std::net::Ipv4Addr::from(other));
        let same = (0..bits).all(|bit| (u32::from(first) ^ u32::from(other)) & (1 << (31 - bit)) == 0);
        prop_assert_eq!(holds("IpAddress", &[&format!("{first}/{bits}")], Some(other.to_string().into())), same);
    }
}
