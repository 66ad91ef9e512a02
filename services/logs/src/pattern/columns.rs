//! Patterns for messages of fields with spaces between, such as web servers write.

use super::InvalidPattern;
use super::compare::{Comparison, number};
use super::cursor::Cursor;
use super::json::DEPTH_MAX;

/// `[ip, ..., status = 4* || status = 5*, bytes > 1000]`
#[derive(Debug)]
pub struct Columns {
    first: Vec<Column>,
    /// What follows the ellipsis, if there is one.
    last: Option<Vec<Column>>,
}

/// A field, with or without a condition.
#[derive(Debug)]
struct Column(Option<Condition>);

#[derive(Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Is(Comparison),
}

impl Columns {
    /// Reads a pattern from its bracket to the one that closes it.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        cursor.expect("[")?;
        let mut columns = Self { first: Vec::new(), last: None };
        cursor.skip_space();
        if cursor.eat("]") {
            columns.last = Some(Vec::new());
            return Ok(columns);
        }
        loop {
            cursor.skip_space();
            if cursor.eat("...") {
                if columns.last.replace(Vec::new()).is_some() {
                    return Err(InvalidPattern::Malformed);
                }
            } else {
                columns.last.as_mut().unwrap_or(&mut columns.first).push(Column::parse(cursor)?);
            }
            cursor.skip_space();
            if cursor.eat("]") {
                return Ok(columns);
            }
            cursor.expect(",")?;
        }
    }

    /// Whether a message has such fields.
    pub fn matches(&self, message: &str) -> bool {
        let fields = fields(message);
        match &self.last {
            Some(last) => {
                let enough = fields.len() >= self.first.len() + last.len();
                enough
                    && all_hold(&self.first, &fields)
                    && all_hold(last, &fields[fields.len() - last.len()..])
            }
            None => self.matches_to_the_end(message, fields),
        }
    }

    /// Without an ellipsis the last column takes all that is left.
    fn matches_to_the_end<'m>(&self, message: &'m str, mut fields: Vec<Field<'m>>) -> bool {
        let count = self.first.len();
        if fields.len() < count {
            return false;
        }
        if fields.len() > count {
            fields.truncate(count);
            if let Some(last) = fields.last_mut() {
                last.text = message[last.start..].trim_end();
            }
        }
        all_hold(&self.first, &fields)
    }
}

fn all_hold(columns: &[Column], fields: &[Field<'_>]) -> bool {
    columns
        .iter()
        .zip(fields)
        .all(|(column, field)| column.0.as_ref().is_none_or(|condition| condition.holds(field.text)))
}

impl Condition {
    fn holds(&self, field: &str) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(field)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(field)),
            Self::Is(comparison) => comparison.holds(field, number(field)),
        }
    }
}

/// A part of a message, and where it starts.
#[derive(Clone, Copy, Debug)]
struct Field<'m> {
    start: usize,
    text: &'m str,
}

/// The parts between spaces. What stands in brackets or quotes is one part, without them.
fn fields(message: &str) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &message[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &message[at..];
        let Some(first) = rest.chars().next() else { return fields };
        let enclosed = match first {
            '[' => rest[1..].split_once(']'),
            '"' => rest[1..].split_once('"'),
            _ => None,
        };
        let (text, length) = match enclosed {
            Some((inside, _)) => (inside, inside.len() + 2),
            None => {
                let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..length], length)
            }
        };
        fields.push(Field { start: at, text });
        at += length;
    }
}

impl Column {
    /// A name, a condition on a name, or nothing at all.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self(None));
        }
        if cursor.peek() == Some('(') {
            return ColumnParser { cursor, name: None }.any(0).map(|condition| Self(Some(condition)));
        }
        let name = name(cursor)?;
        cursor.skip_space();
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self(None));
        }
        let first = Condition::Is(Comparison::parse(cursor, is_bare)?);
        ColumnParser { cursor, name: Some(name) }.any_after(first, 0).map(|condition| Self(Some(condition)))
    }
}

/// Reads the conditions of one column, which all name that column.
struct ColumnParser<'c, 't> {
    cursor: &'c mut Cursor<'t>,
    name: Option<&'t str>,
}

impl ColumnParser<'_, '_> {
    fn any(&mut self, depth: usize) -> Result<Condition, InvalidPattern> {
        let first = self.one(depth)?;
        self.any_after(first, depth)
    }

    fn any_after(&mut self, first: Condition, depth: usize) -> Result<Condition, InvalidPattern> {
        let mut conditions = vec![self.all_after(first, depth)?];
        while self.cursor.eat("||") {
            let next = self.one(depth)?;
            conditions.push(self.all_after(next, depth)?);
        }
        Ok(Condition::Any(conditions))
    }

    fn all_after(&mut self, first: Condition, depth: usize) -> Result<Condition, InvalidPattern> {
        let mut conditions = vec![first];
        self.cursor.skip_space();
        while self.cursor.eat("&&") {
            conditions.push(self.one(depth)?);
            self.cursor.skip_space();
        }
        Ok(Condition::All(conditions))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, InvalidPattern> {
        self.cursor.skip_space();
        if self.cursor.eat("(") {
            if depth == DEPTH_MAX {
                return Err(InvalidPattern::Malformed);
            }
            let inner = self.any(depth + 1)?;
            self.cursor.expect(")")?;
            return Ok(inner);
        }
        let name = name(self.cursor)?;
        if *self.name.get_or_insert(name) != name {
            return Err(InvalidPattern::Malformed);
        }
        self.cursor.skip_space();
        Comparison::parse(self.cursor, is_bare).map(Condition::Is)
    }
}

fn name<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, InvalidPattern> {
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))?;
    if name.starts_with(|c: char| c.is_ascii_digit()) { Err(InvalidPattern::Malformed) } else { Ok(name) }
}

/// What a value without quotes is made of.
fn is_bare(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, ',' | '[' | ']' | '(' | ')' | '&' | '|' | '=' | '<' | '>' | '!' | '"' | '%')
}
