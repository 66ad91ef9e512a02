//! What an event must say for a pattern to match: so that of many patterns only few have to be compared with it.

use std::cell::RefCell;

use serde_json::Value;

use crate::Pattern;
use crate::matching::{Field, Fields, Values, any_at};
use crate::value_test::{TextTest, ValueTest};

/// A field that must be there for a pattern to match, and what it must be.
#[derive(Clone, Debug)]
pub struct Need<'p> {
    /// The names that lead to the field.
    pub path: Vec<&'p str>,
    values: &'p Values,
}

/// What a field must be: one of the tests of a [`Need`].
#[derive(Clone, Debug)]
pub struct Test(Box<[ValueTest]>);

impl Pattern {
    /// Everything that it needs. What is one of several alternatives is not needed.
    pub fn needs(&self) -> Vec<Need<'_>> {
        let mut needs = Vec::new();
        gather(&self.0, &mut Vec::new(), &mut needs);
        needs
    }
}

impl<'p> Need<'p> {
    /// What the field may be, if the pattern names nothing but texts.
    pub fn texts(&self) -> Option<Vec<&'p str>> {
        self.values
            .tests
            .iter()
            .map(|test| match test {
                ValueTest::Text(TextTest::Equals(text)) => Some(&**text),
                _ => None,
            })
            .collect()
    }

    /// What the field must be, without the pattern.
    pub fn test(&self) -> Test {
        Test(self.values.tests.clone().into())
    }
}

impl Test {
    /// Whether one of the values is what the field must be.
    pub fn passes(&self, values: &[&Value]) -> bool {
        values.iter().any(|value| self.0.iter().any(|test| test.passes(value)))
    }
}

fn gather<'p>(fields: &'p Fields, path: &mut Vec<&'p str>, needs: &mut Vec<Need<'p>>) {
    for (name, field) in &fields.fields {
        path.push(name);
        match field {
            Field::Object(inner) => gather(inner, path, needs),
            // What may be missing is not needed.
            Field::Value(values) if values.absent.is_some() => {}
            Field::Value(values) => needs.push(Need { path: path.clone(), values }),
        }
        path.pop();
    }
}

/// The values of an event at a path, found as patterns find them: through arrays, and by names with dots.
pub fn values_at<'e>(event: &'e Value, path: &[impl AsRef<str>]) -> Vec<&'e Value> {
    let found = RefCell::new(Vec::new());
    visit(event, path, &found);
    found.into_inner()
}

fn visit<'e>(value: &'e Value, path: &[impl AsRef<str>], found: &RefCell<Vec<&'e Value>>) {
    match (value, path) {
        (Value::Array(elements), path) => elements.iter().for_each(|element| visit(element, path, found)),
        (Value::Object(_), [name, rest @ ..]) => {
            any_at(Some(value), name.as_ref(), &|inner| {
                if let Some(inner) = inner {
                    visit(inner, rest, found);
                }
                // On to the next.
                false
            });
        }
        (Value::Object(_), []) => {}
        (value, []) => found.borrow_mut().push(value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needs(pattern: &str) -> Vec<(String, Option<String>)> {
        let pattern = Pattern::parse(pattern).unwrap();
        let shown = |need: Need<'_>| (need.path.join("/"), need.texts().map(|texts| texts.join("|")));
        pattern.needs().into_iter().map(shown).collect()
    }

    #[test]
    fn what_may_be_missing_is_not_needed() {
        let pair = |path: &str, texts: Option<&str>| (path.to_owned(), texts.map(str::to_owned));
        assert_eq!(
            needs(r#"{"source":["a","b"],"detail":{"x":{"y":["c"]},"n":[1],"p":[{"prefix":"q"}]}}"#),
            [
                pair("source", Some("a|b")),
                pair("detail/x/y", Some("c")),
                pair("detail/n", None),
                pair("detail/p", None)
            ]
        );
        // A number beside a text, and an address, which has many spellings.
        assert_eq!(
            needs(r#"{"a":["x",1],"b":["10.0.0.1"],"c":["x",{"exists":false}]}"#),
            [pair("a", None), pair("b", None)]
        );
        assert_eq!(needs(r#"{"$or":[{"a":["x"]},{"b":["y"]}],"c":["z"]}"#), [pair("c", Some("z"))]);
    }

    #[test]
    fn a_test_passes_what_its_field_may_be() {
        let pattern = Pattern::parse(r#"{"a":[{"prefix":"x"},{"numeric":[">",3]}]}"#).unwrap();
        let test = pattern.needs()[0].test();
        assert!(test.passes(&[&json!("y"), &json!("xy")]) && test.passes(&[&json!(4)]));
        assert!(!test.passes(&[&json!("y"), &json!(3), &Value::Null]) && !test.passes(&[]));
    }

    #[test]
    fn values_are_found_as_patterns_find_them() {
        let check = |event: Value, path: &[&str], expected: &[Value]| {
            let found: Vec<Value> = values_at(&event, path).into_iter().cloned().collect();
            assert_eq!(found, expected, "{path:?} in {event}");
        };
        check(json!({"a": "x"}), &["a"], &[json!("x")]);
        check(json!({"a": ["x", ["y", 1]]}), &["a"], &[json!("x"), json!("y"), json!(1)]);
        check(json!({"a": [{"b": "x"}, {"b": ["y"]}, "z"]}), &["a", "b"], &[json!("x"), json!("y")]);
        check(json!({"a": {"b": "x"}}), &["a.b"], &[json!("x")]);
        check(json!({"a.b": "x", "a": {"b": "y"}}), &["a.b"], &[json!("x")]);
        check(json!({"a": [{"b": null}]}), &["a.b"], &[Value::Null]);
        check(json!({"a": {"b": {}}}), &["a", "b"], &[]);
        check(json!("x"), &["a"], &[]);
    }
}
