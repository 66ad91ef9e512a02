//! Comparisons of a value with what a pattern asks for.

use super::InvalidPattern;
use super::cursor::Cursor;
use super::regex::Regex;

/// `= 4*`, `>= 500`, `!= %^10\.%`
#[derive(Debug)]
pub struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum Operand {
    Text(Wildcard),
    Number(f64, Wildcard),
    Regex(Regex),
}

impl Comparison {
    /// Reads an operator and a value; `is_bare` says what a value without quotes is made of.
    pub fn parse(cursor: &mut Cursor<'_>, is_bare: impl Fn(char) -> bool) -> Result<Self, InvalidPattern> {
        let operator = Operator::parse(cursor)?;
        cursor.skip_space();
        let operand = match cursor.peek() {
            Some('"') => Operand::Text(Wildcard::parse(&cursor.quoted('"')?)),
            Some('%') => Operand::Regex(cursor.regex()?),
            _ => {
                let text = cursor.take_while(is_bare)?;
                match number(text) {
                    Some(number) => Operand::Number(number, Wildcard::parse(text)),
                    None => Operand::Text(Wildcard::parse(text)),
                }
            }
        };
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordered && !matches!(operand, Operand::Number(..)) {
            return Err(InvalidPattern::Malformed);
        }
        Ok(Self { operator, operand })
    }

    /// Whether it holds for a value: its text, and its number if it is one.
    pub fn holds(&self, text: &str, number: Option<f64>) -> bool {
        let equal = || match &self.operand {
            Operand::Text(wildcard) => wildcard.matches(text),
            Operand::Number(wanted, wildcard) => number == Some(*wanted) || wildcard.matches(text),
            Operand::Regex(regex) => regex.matches(text),
        };
        let ordered = |holds: fn(&f64, &f64) -> bool| match (&self.operand, number) {
            (Operand::Number(wanted, _), Some(number)) => holds(&number, wanted),
            _ => false,
        };
        match self.operator {
            Operator::Equal => equal(),
            Operator::NotEqual => !equal(),
            Operator::Less => ordered(f64::lt),
            Operator::LessOrEqual => ordered(f64::le),
            Operator::Greater => ordered(f64::gt),
            Operator::GreaterOrEqual => ordered(f64::ge),
        }
    }
}

impl Operator {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        // The longer ones first: each of the shorter is the beginning of one.
        let operators = [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ];
        operators
            .into_iter()
            .find(|(text, _)| cursor.eat(text))
            .map(|(_, operator)| operator)
            .ok_or(InvalidPattern::Malformed)
    }
}

/// An integer or a decimal, with an optional sign and exponent. Words like `inf`, which Rust reads, are not numbers.
pub fn number(text: &str) -> Option<f64> {
    let is_numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let starts_as_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    (starts_as_number && text.chars().all(is_numeric)).then(|| text.parse().ok()).flatten()
}

/// A text that may begin and end with an asterisk, which stands for anything. Between, an asterisk is an asterisk.
#[derive(Debug)]
struct Wildcard {
    text: String,
    open_start: bool,
    open_end: bool,
}

impl Wildcard {
    fn parse(text: &str) -> Self {
        let (open_start, rest) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
        let (open_end, rest) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        Self { text: rest.to_owned(), open_start, open_end }
    }

    fn matches(&self, text: &str) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => text == self.text,
            (true, false) => text.ends_with(&self.text),
            (false, true) => text.starts_with(&self.text),
            (true, true) => text.contains(&self.text),
        }
    }
}
