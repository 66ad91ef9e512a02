//! Paths into an event: `$.detail.items[0].name`.

use serde_json::Value;

/// A path that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl JsonPath {
    /// Reads names after dots or in brackets, and indices in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, more) = after.split_at(end);
                if name.is_empty()
                    || name.contains(|letter: char| letter.is_whitespace() || "*?@()".contains(letter))
                {
                    return None;
                }
                steps.push(Step::Name(name.to_owned()));
                rest = more;
            } else {
                let (inside, more) = rest.strip_prefix('[')?.split_once(']')?;
                let quoted = |mark: char| inside.strip_prefix(mark)?.strip_suffix(mark);
                steps.push(match quoted('\'').or_else(|| quoted('"')) {
                    Some(name) => Step::Name(name.to_owned()),
                    None => Step::Index(inside.parse().ok()?),
                });
                rest = more;
            }
        }
        Some(Self(steps))
    }

    /// What is there.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_a_value_or_nowhere() {
        let event = json!({ "detail": { "items": [{ "name": "x" }], "detail-type": 1, "a.b": 2 } });
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&event).cloned();
        assert_eq!(find("$.detail.items[0].name"), Some(json!("x")));
        assert_eq!(find("$.detail.detail-type"), Some(json!(1)));
        assert_eq!(find("$['detail']['a.b']"), Some(json!(2)));
        assert_eq!(find("$"), Some(event.clone()));
        assert_eq!(find("$.detail.items[1]"), None);
        assert_eq!(find("$.nothing.here"), None);
    }

    #[test]
    fn anything_else_is_no_path() {
        for wrong in ["", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$.a[*]", "$.a b", "$[-1]"] {
            assert_eq!(JsonPath::parse(wrong), None, "{wrong}");
        }
    }
}
