//! Patterns for messages that are JSON objects.

use serde_json::Value;

use super::InvalidPattern;
use super::compare::Comparison;
use super::cursor::Cursor;

/// Parentheses inside parentheses.
pub const DEPTH_MAX: usize = 32;
/// Selectors with a wildcard in a pattern, each with one.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
const WILDCARD_SELECTORS_MAX: usize = 3;

/// `{ $.level = "error" && ($.status >= 500 || $.retry IS TRUE) }`
#[derive(Debug)]
pub struct Document(Condition);

#[derive(Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Is(Selector, Test),
}

#[derive(Debug)]
enum Test {
    True,
    False,
    Null,
    NotExists,
    Compares(Comparison),
}

/// `$.requests[0].['user.name']`
#[derive(Debug)]
struct Selector(Vec<Step>);

#[derive(Debug)]
enum Step {
    Member(String),
    Element(usize),
    Every,
}

impl Document {
    /// Reads a pattern from its brace to the one that closes it.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        cursor.expect("{")?;
        let mut parser = Parser { cursor, wildcard_selectors: 0 };
        let condition = parser.any(0)?;
        cursor.expect("}")?;
        Ok(Self(condition))
    }

    /// Whether a message is a JSON object that matches.
    pub fn matches(&self, message: &str) -> bool {
        if !message.trim_start().starts_with('{') {
            return false;
        }
        serde_json::from_str(message).is_ok_and(|document| self.0.holds(&document))
    }
}

impl Condition {
    fn holds(&self, document: &Value) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(document)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(document)),
            Self::Is(selector, Test::NotExists) => !selector.any(document, &|_| true),
            Self::Is(selector, test) => selector.any(document, &|value| test.holds(value)),
        }
    }
}

impl Test {
    /// Objects, arrays, booleans and null compare to nothing, not even as unequal.
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::True, Value::Bool(truth)) => *truth,
            (Self::False, Value::Bool(truth)) => !*truth,
            (Self::Null, Value::Null) => true,
            (Self::Compares(comparison), Value::String(text)) => comparison.holds(text, None),
            (Self::Compares(comparison), Value::Number(number)) => {
                comparison.holds(&number.to_string(), number.as_f64())
            }
            _ => false,
        }
    }
}

impl Selector {
    /// Whether one of the values that it names passes.
    fn any(&self, document: &Value, passes: &dyn Fn(&Value) -> bool) -> bool {
        any_of(&self.0, document, passes)
    }
}

fn any_of(steps: &[Step], value: &Value, passes: &dyn Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return passes(value) };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            members.get(name).is_some_and(|member| any_of(rest, member, passes))
        }
        (Step::Element(index), Value::Array(elements)) => {
            elements.get(*index).is_some_and(|element| any_of(rest, element, passes))
        }
        (Step::Every, Value::Array(elements)) => elements.iter().any(|element| any_of(rest, element, passes)),
        (Step::Every, Value::Object(members)) => members.values().any(|member| any_of(rest, member, passes)),
        _ => false,
    }
}

struct Parser<'c, 't> {
    cursor: &'c mut Cursor<'t>,
    wildcard_selectors: usize,
}

impl Parser<'_, '_> {
    fn any(&mut self, depth: usize) -> Result<Condition, InvalidPattern> {
        let mut conditions = vec![self.all(depth)?];
        while self.cursor.eat("||") {
            conditions.push(self.all(depth)?);
        }
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, InvalidPattern> {
        let mut conditions = vec![self.one(depth)?];
        while self.cursor.eat("&&") {
            conditions.push(self.one(depth)?);
        }
        Ok(Condition::All(conditions))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, InvalidPattern> {
        self.cursor.skip_space();
        let condition = if self.cursor.eat("(") {
            if depth == DEPTH_MAX {
                return Err(InvalidPattern::Malformed);
            }
            let inner = self.any(depth + 1)?;
            self.cursor.expect(")")?;
            inner
        } else {
            let selector = self.selector()?;
            Condition::Is(selector, self.test()?)
        };
        self.cursor.skip_space();
        Ok(condition)
    }

    fn selector(&mut self) -> Result<Selector, InvalidPattern> {
        self.cursor.expect("$")?;
        let mut steps = Vec::new();
        loop {
            if self.cursor.eat("[") {
                steps.push(self.bracket()?);
            } else if self.cursor.eat(".") {
                steps.push(self.after_dot()?);
            } else {
                break;
            }
        }
        let wildcards = steps.iter().filter(|step| matches!(step, Step::Every)).count();
        self.wildcard_selectors += usize::from(wildcards > 0);
        if steps.is_empty() || wildcards > 1 || self.wildcard_selectors > WILDCARD_SELECTORS_MAX {
            return Err(InvalidPattern::Malformed);
        }
        Ok(Selector(steps))
    }

    fn after_dot(&mut self) -> Result<Step, InvalidPattern> {
        if self.cursor.eat("[") {
            return self.bracket();
        }
        if self.cursor.eat("*") {
            return Ok(Step::Every);
        }
        let name = self.cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))?;
        Ok(Step::Member(name.to_owned()))
    }

    fn bracket(&mut self) -> Result<Step, InvalidPattern> {
        let step = match self.cursor.peek() {
            Some('*') => {
                self.cursor.expect("*")?;
                Step::Every
            }
            Some(quote @ ('\'' | '"')) => Step::Member(self.cursor.quoted(quote)?),
            _ => {
                let digits = self.cursor.take_while(|c| c.is_ascii_digit())?;
                Step::Element(digits.parse().map_err(|_| InvalidPattern::Malformed)?)
            }
        };
        self.cursor.expect("]")?;
        Ok(step)
    }

    fn test(&mut self) -> Result<Test, InvalidPattern> {
        let spaced = self.cursor.skip_space();
        if self.cursor.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            return if spaced { self.keyword() } else { Err(InvalidPattern::Malformed) };
        }
        Comparison::parse(self.cursor, is_bare).map(Test::Compares)
    }

    fn keyword(&mut self) -> Result<Test, InvalidPattern> {
        let word = |c: char| c.is_ascii_alphabetic();
        let first = self.cursor.take_while(word)?;
        self.cursor.skip_space();
        match (first, self.cursor.take_while(word)?) {
            ("IS", "TRUE") => Ok(Test::True),
            ("IS", "FALSE") => Ok(Test::False),
            ("IS", "NULL") => Ok(Test::Null),
            ("NOT", "EXISTS") => Ok(Test::NotExists),
            _ => Err(InvalidPattern::Malformed),
        }
    }
}

/// What a value without quotes is made of.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | '*' | ':' | '/')
}
