//! Checks the model's constraints on a request, and says what is wrong in AWS's words.
//!
//! Where the words come from: answers of real services that people recorded, among them Lambda (`cors.allowMethods`,
//! `routingConfig.additionalVersionWeights`), STS (`roleArn`), IoT and Athena. What they show:
//! - a member's name begins in lower case, elements of a list are `tags.1.member.key`;
//! - a pattern is complained about before a length;
//! - scalars in lists and maps are complained about together: `Member must satisfy constraint: […]`, which names every
//!   constraint of the element, the most before the least, before pattern and enumeration;
//! - a sensitive value is left out, and some services leave out every value.

use std::fmt::Write as _;

use crate::schema::{Bounds, Kind, Member, Service, Shape};
use crate::value::Fields;
use crate::{Error, Value};

/// More of a value than this is not quoted, in bytes: longer than any legal value of the models.
const SHOWN_BYTES_MAX: usize = 256 << 10;
/// More complaints than these help nobody, and each may quote a value.
const COMPLAINTS_MAX: usize = 20;

/// Checks a request's input.
pub(crate) fn check(service: &Service, shape: &Shape, fields: &Fields) -> Result<(), Error> {
    let mut check =
        Check { service, complaints: Vec::new(), missing: None, path: String::new(), hidden: false };
    check.members(shape.members(), fields);
    if let (Some(code), Some(name)) = (service.missing_error, check.missing) {
        return Err(Error::new(code, format!("The request must contain the parameter {name}.")));
    }
    match check.complaints.len() {
        0 => Ok(()),
        count => {
            let errors = if count == 1 { "error" } else { "errors" };
            let complaints = check.complaints.join("; ");
            Err(Error::new(
                service.constraint_error,
                format!("{count} validation {errors} detected: {complaints}"),
            ))
        }
    }
}

struct Check<'a> {
    service: &'a Service,
    complaints: Vec<String>,
    /// The first member that should be there.
    missing: Option<&'static str>,
    /// `environment.variables`
    path: String,
    /// Whether a shape on the way down is sensitive.
    hidden: bool,
}

impl Check<'_> {
    fn members(&mut self, members: &[Member], fields: &Fields) {
        for member in members {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            push_lower_camel(&mut self.path, member.name);
            match fields.get(member.name) {
                Some(value) if *value != Value::Null => self.value(member.shape, value),
                _ if member.required => {
                    self.missing.get_or_insert(member.name);
                    self.complain(member.shape, &Value::Null, "Member must not be null");
                }
                _ => {}
            }
            self.path.truncate(length);
        }
    }

    fn value(&mut self, shape: &Shape, value: &Value) {
        let hidden = self.hidden;
        self.hidden |= shape.sensitive;
        for rule in rules(shape).filter(|rule| !rule.holds(value)) {
            self.complain(shape, value, &rule.to_string());
        }
        match (value, &shape.kind) {
            (Value::Structure(fields), Kind::Structure(structure)) => self.members(structure.members, fields),
            (Value::List(values), Kind::List { member, .. }) => self.elements(shape, value, values, member),
            (Value::Map(entries), Kind::Map { key, value: member, .. }) => {
                let broken = |key_value: &String| {
                    let key_value = Value::String(key_value.clone());
                    rules(key).any(|rule| !rule.holds(&key_value))
                };
                if has_rules(key) && entries.keys().any(broken) {
                    let text = format!("Map keys must satisfy constraint: {}", self.all_rules(key));
                    self.complain(shape, value, &text);
                }
                let broken =
                    |value: &Value| *value == Value::Null || rules(member).any(|rule| !rule.holds(value));
                if entries.values().any(broken) {
                    let text = format!("Map value must satisfy constraint: {}", self.all_rules(member));
                    self.complain(shape, value, &text);
                }
                for (key, value) in entries {
                    self.below(&format!(".{key}.member"), member, value);
                }
            }
            _ => {}
        }
        self.hidden = hidden;
    }

    fn elements(&mut self, shape: &Shape, list: &Value, values: &[Value], member: &Shape) {
        if matches!(member.kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. }) {
            for (at, value) in values.iter().enumerate() {
                self.below(&format!(".{}.member", at + 1), member, value);
            }
            return;
        }
        if values.iter().any(|value| *value == Value::Null || rules(member).any(|rule| !rule.holds(value))) {
            let text = format!("Member must satisfy constraint: {}", self.all_rules(member));
            self.complain(shape, list, &text);
        }
    }

    /// Goes into an element that has a path of its own.
    fn below(&mut self, step: &str, shape: &Shape, value: &Value) {
        if !matches!(shape.kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. }) {
            return;
        }
        let length = self.path.len();
        self.path.push_str(step);
        match value {
            Value::Null => self.complain(shape, value, "Member must not be null"),
            value => self.value(shape, value),
        }
        self.path.truncate(length);
    }

    /// Every constraint of an element, as a list of its collection says them.
    fn all_rules(&self, shape: &Shape) -> String {
        let mut all: Vec<Rule<'_>> = rules(shape).collect();
        all.sort_by_key(Rule::place_in_lists);
        let mut texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        if self.service.null_in_collections || texts.is_empty() {
            texts.push("Member must not be null".to_owned());
        }
        format!("[{}]", texts.join(", "))
    }

    fn complain(&mut self, shape: &Shape, value: &Value, constraint: &str) {
        if self.complaints.len() == COMPLAINTS_MAX {
            return;
        }
        let shown = match value {
            Value::Null => "Value null at".to_owned(),
            _ if self.hidden || shape.holds_secrets() || !self.service.quotes_values => "Value at".to_owned(),
            // AWS does not show bytes either.
            Value::Blob(_) | Value::Structure(_) => "Value at".to_owned(),
            value => format!("Value '{}' at", shown(value)),
        };
        self.complaints.push(format!("{shown} '{}' failed to satisfy constraint: {constraint}", self.path));
    }
}

/// `FunctionName` → `functionName`, `S3Bucket` → `s3Bucket`, `KMSKeyArn` → `kMSKeyArn`: only the first letter.
fn push_lower_camel(path: &mut String, name: &str) {
    let mut letters = name.chars();
    path.extend(letters.next().map(|first| first.to_ascii_lowercase()));
    path.push_str(letters.as_str());
}

/// A constraint that a value can break by itself.
enum Rule<'a> {
    Pattern(&'a crate::schema::Pattern),
    LengthMax(i64),
    LengthMin(i64),
    ValueMax(i64, bool),
    ValueMin(i64, bool),
    Values(&'a [&'a str]),
}

/// In the order in which a member's broken constraints are said.
fn rules(shape: &Shape) -> impl Iterator<Item = Rule<'_>> {
    let (pattern, values) = match &shape.kind {
        Kind::String { pattern, values, .. } => (pattern.as_ref(), *values),
        _ => (None, &[][..]),
    };
    let (length, range, float) = match &shape.kind {
        Kind::String { length, .. }
        | Kind::Blob { length }
        | Kind::List { length, .. }
        | Kind::Map { length, .. } => (*length, Bounds::NONE, false),
        Kind::Integer { range } | Kind::Long { range } => (Bounds::NONE, *range, false),
        Kind::Double { range } => (Bounds::NONE, *range, true),
        Kind::Boolean | Kind::Timestamp | Kind::Structure(_) => (Bounds::NONE, Bounds::NONE, false),
    };
    pattern
        .map(Rule::Pattern)
        .into_iter()
        .chain(length.max.map(Rule::LengthMax))
        .chain(length.min.map(Rule::LengthMin))
        .chain(range.max.map(move |max| Rule::ValueMax(max, float)))
        .chain(range.min.map(move |min| Rule::ValueMin(min, float)))
        .chain((!values.is_empty()).then_some(Rule::Values(values)))
}

fn has_rules(shape: &Shape) -> bool {
    rules(shape).next().is_some()
}

impl Rule<'_> {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Pattern(pattern), Value::String(text)) => pattern.matches(text),
            (Self::Values(values), Value::String(text)) => values.contains(&text.as_str()),
            (Self::LengthMax(max), value) => length(value).is_none_or(|length| length <= *max),
            (Self::LengthMin(min), value) => length(value).is_none_or(|length| length >= *min),
            (Self::ValueMax(max, _), Value::Int(number)) => number <= max,
            (Self::ValueMin(min, _), Value::Int(number)) => number >= min,
            // Not a number is not within any limit.
            (Self::ValueMax(max, _), Value::Float(number)) => *number <= *max as f64,
            (Self::ValueMin(min, _), Value::Float(number)) => *number >= *min as f64,
            _ => true,
        }
    }

    fn place_in_lists(&self) -> u8 {
        match self {
            Self::LengthMax(_) | Self::ValueMax(..) => 0,
            Self::LengthMin(_) | Self::ValueMin(..) => 1,
            Self::Pattern(_) => 2,
            Self::Values(_) => 3,
        }
    }
}

fn length(value: &Value) -> Option<i64> {
    let length = match value {
        // Java's length, in UTF-16 units, is at most twice this; STS is seen to count characters.
        Value::String(text) => text.chars().count(),
        Value::Blob(bytes) => bytes.len(),
        Value::List(values) => values.len(),
        Value::Map(entries) => entries.len(),
        _ => return None,
    };
    i64::try_from(length).ok()
}

impl std::fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimal = |float: &bool| if *float { ".0" } else { "" };
        match self {
            Self::Pattern(pattern) => {
                write!(f, "Member must satisfy regular expression pattern: {}", pattern.source)
            }
            Self::LengthMax(max) => write!(f, "Member must have length less than or equal to {max}"),
            Self::LengthMin(min) => write!(f, "Member must have length greater than or equal to {min}"),
            Self::ValueMax(max, float) => {
                write!(f, "Member must have value less than or equal to {max}{}", decimal(float))
            }
            Self::ValueMin(min, float) => {
                write!(f, "Member must have value greater than or equal to {min}{}", decimal(float))
            }
            Self::Values(values) => write!(f, "Member must satisfy enum value set: [{}]", values.join(", ")),
        }
    }
}

/// A value for a message, cut if it is a hostile one.
fn shown(value: &Value) -> String {
    let mut text = Shown(value).to_string();
    if text.len() > SHOWN_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
        text.push('…');
    }
    text
}

/// A value as Java prints it: `[a, b]`, `{key=value}`.
struct Shown<'a>(&'a Value);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::String(text) => f.write_str(text),
            Value::Timestamp(moment) => write!(f, "{}", moment.epoch_ms()),
            Value::List(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { ", " }, Shown(value))?;
                }
                f.write_char(']')
            }
            Value::Map(entries) => {
                f.write_char('{')?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}={}", if at == 0 { "" } else { ", " }, Shown(value))?;
                }
                f.write_char('}')
            }
            Value::Blob(_) | Value::Structure(_) | Value::Events(_) => f.write_str("..."),
        }
    }
}
