//! Paths into an event: `$.detail.items[0].name`, `$.detail.items[*].name`.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use serde_json::Value;

/// A path that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    /// `*`: every value of an object or an array.
    Every,
}

impl JsonPath {
    /// Reads names after dots or in brackets, indices in brackets, and a wildcard in either place.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, more) = after.split_at(end);
                let is_odd = |letter: char| letter.is_whitespace() || "*?@()".contains(letter);
                steps.push(match name {
                    "*" => Step::Every,
                    name if name.is_empty() || name.contains(is_odd) => return None,
                    name => Step::Name(name.to_owned()),
                });
                rest = more;
            } else {
                let (inside, more) = rest.strip_prefix('[')?.split_once(']')?;
                let quoted = |mark: char| inside.strip_prefix(mark)?.strip_suffix(mark);
                steps.push(match quoted('\'').or_else(|| quoted('"')) {
                    Some(name) => Step::Name(name.to_owned()),
                    None if inside == "*" => Step::Every,
                    None => Step::Index(inside.parse().ok()?),
                });
                rest = more;
            }
        }
        Some(Self(steps))
    }

    /// What is there. A path with a wildcard leads to an array of all that it meets.
    pub(crate) fn find(&self, value: &Value) -> Option<Value> {
        let mut met = vec![value];
        for step in &self.0 {
            met = met.into_iter().flat_map(|value| step.from(value)).collect();
        }
        if self.0.contains(&Step::Every) {
            return Some(met.into_iter().cloned().collect());
        }
        met.first().map(|value| (*value).clone())
    }
}

impl Step {
    fn from<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Name(name), value) => value.get(name).into_iter().collect(),
            (Self::Index(index), value) => value.get(index).into_iter().collect(),
            (Self::Every, Value::Array(items)) => items.iter().collect(),
            (Self::Every, Value::Object(fields)) => fields.values().collect(),
            (Self::Every, _) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_a_value_or_nowhere() {
        let event = json!({ "detail": { "items": [{ "name": "x" }], "detail-type": 1, "a.b": 2 } });
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&event);
        assert_eq!(find("$.detail.items[0].name"), Some(json!("x")));
        assert_eq!(find("$.detail.detail-type"), Some(json!(1)));
        assert_eq!(find("$['detail']['a.b']"), Some(json!(2)));
        assert_eq!(find("$"), Some(event.clone()));
        assert_eq!(find("$.detail.items[1]"), None);
        assert_eq!(find("$.nothing.here"), None);
    }

    #[test]
    fn a_wildcard_leads_to_all_that_is_there() {
        let event = json!({ "detail": { "items": [{ "name": "x" }, { "name": "y", "n": 1 }, 3] } });
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&event);
        assert_eq!(find("$.detail.items[*].name"), Some(json!(["x", "y"])));
        assert_eq!(find("$.detail.*[1].n"), Some(json!([1])));
        assert_eq!(find("$.detail.items[0].*"), Some(json!(["x"])));
        assert_eq!(find("$.detail.nothing[*]"), Some(json!([])));
    }

    #[test]
    fn anything_else_is_no_path() {
        for wrong in ["", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$.a*", "$.a b", "$[-1]"] {
            assert_eq!(JsonPath::parse(wrong), None, "{wrong}");
        }
    }
}
