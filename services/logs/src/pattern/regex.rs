//! The regular expressions of filter patterns: a small part of the usual syntax, so that none can take long.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html>

use super::InvalidPattern;

/// What a compiled expression may take, in bytes: repetitions of repetitions end here.
const COMPILED_BYTES_MAX: usize = 1 << 18;
/// Characters that stand for themselves, beside letters and digits.
const SYMBOLS: &str = " :_#=@/;,-";
const OPERATORS: &str = "^$?[]{}|*+.";
/// What may follow a backslash and is then a class of characters.
const CLASSES: &str = "dDsSwW";

/// An expression that was read.
#[derive(Debug)]
pub struct Regex(fancy_regex::Regex);

impl Regex {
    /// Reads what stands between the percent signs.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        check_syntax(text)?;
        let compiled = fancy_regex::RegexBuilder::new(text).delegate_size_limit(COMPILED_BYTES_MAX).build();
        compiled.map(Self).map_err(|_| InvalidPattern::Malformed)
    }

    /// Whether it matches anywhere in a text.
    pub fn matches(&self, text: &str) -> bool {
        // Without groups there is nothing to backtrack into, so this cannot run out of steps.
        self.0.is_match(text).unwrap_or(false)
    }
}

fn check_syntax(text: &str) -> Result<(), InvalidPattern> {
    if text.is_empty() || text.contains("(?") {
        return Err(InvalidPattern::Malformed);
    }
    let mut characters = text.chars();
    let mut after_quantifier = false;
    while let Some(c) = characters.next() {
        let quantifier = matches!(c, '?' | '*' | '+' | '{');
        if c == '\\' {
            check_escape(&mut characters)?;
        } else if !c.is_ascii_alphanumeric() && !SYMBOLS.contains(c) && !OPERATORS.contains(c) {
            return Err(InvalidPattern::Malformed);
        } else if quantifier && c != '?' && after_quantifier {
            // A repetition of a repetition, or a possessive one: not in the documented syntax, and the only part of
            // ours that would need backtracking.
            return Err(InvalidPattern::Malformed);
        }
        after_quantifier = quantifier && c != '{' || c == '}';
    }
    Ok(())
}

fn check_escape(characters: &mut std::str::Chars<'_>) -> Result<(), InvalidPattern> {
    let is_hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
    match characters.next() {
        Some('x') if is_hex(characters.next()) && is_hex(characters.next()) => Ok(()),
        Some(c) if CLASSES.contains(c) || c == '\\' || SYMBOLS.contains(c) || OPERATORS.contains(c) => Ok(()),
        _ => Err(InvalidPattern::Malformed),
    }
}
