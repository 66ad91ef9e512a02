//! The model's regular expressions, which are Java's.

use std::sync::OnceLock;

use fancy_regex::{Regex, RegexBuilder};

/// A regular expression of the model, compiled when it is first needed.
pub struct Pattern {
    /// As the model spells it, and as messages quote it.
    pub source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

/// Backtracking steps before a match is given up: far above what a legal value needs.
const BACKTRACK_STEPS_MAX: usize = 200_000;
/// No member with a pattern may be nearly as long, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 8 << 20;

impl Pattern {
    /// Wraps a pattern of the model.
    pub const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// Whether the whole text matches. A text that is too long or too hard to match does not.
    pub fn matches(&self, text: &str) -> bool {
        if text.len() > TEXT_BYTES_MAX {
            return false;
        }
        match self.regex() {
            Some(regex) => regex.is_match(text).unwrap_or(false),
            // A test compiles every generated pattern, so this is for patterns of the future.
            None => true,
        }
    }

    /// Whether the expression can be compiled at all.
    pub fn compiles(&self) -> bool {
        self.regex().is_some()
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| {
                // Java's `Matcher.matches` wants the whole text.
                RegexBuilder::new(&format!(r"\A(?:{})\z", from_java(self.source)))
                    .backtrack_limit(BACKTRACK_STEPS_MAX)
                    .delegate_size_limit(PATTERN_BYTES_MAX)
                    .build()
                    .ok()
            })
            .as_ref()
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

/// Says the same in the syntax of Rust's engines, where `\w`, `\d` and `\s` would be Unicode's and a dot would match
/// the rarer line ends.
fn from_java(source: &str) -> String {
    // An expression that sets its own flags means its dots.
    let flagged = source.contains("(?s");
    let mut depth = 0_u32;
    let mut text = String::with_capacity(source.len());
    let mut letters = source.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('w') => text.push_str("[a-zA-Z0-9_]"),
                Some('W') => text.push_str("[^a-zA-Z0-9_]"),
                Some('d') => text.push_str("[0-9]"),
                Some('D') => text.push_str("[^0-9]"),
                Some('s') => text.push_str(r"[ \t\n\x0B\f\r]"),
                Some('S') => text.push_str(r"[^ \t\n\x0B\f\r]"),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            '.' if depth == 0 && !flagged => text.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
            '[' => {
                depth += 1;
                text.push('[');
            }
            ']' => {
                depth = depth.saturating_sub(1);
                text.push(']');
            }
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &'static str, text: &str, expected: bool) {
        let pattern = Pattern::new(source);
        assert!(pattern.compiles(), "{source}");
        assert_eq!(pattern.matches(text), expected, "{source} {text:?}");
    }

    #[test]
    fn the_whole_text_must_match() {
        check("a|b", "a", true);
        check("a|b", "ab", false);
        check("a+", "a\n", false);
    }

    #[test]
    fn classes_are_javas() {
        check(r"[\w+=,.@-]+", "a_1.b", true);
        check(r"[\w+=,.@-]+", "é", false);
        check(r"\d{2}", "12", true);
        check(r"\d{2}", "1٣", false);
        check(r"[\p{L}]+", "é", true);
        check(r"[^\s]+", "a\u{a0}b", true);
        check(r"\S+", "a b", false);
    }

    #[test]
    fn dots_are_javas() {
        check(".*", "a b", true);
        check(".*", "a\rb", false);
        check(".*", "a\u{2028}b", false);
        check("(?s).*", "a\nb", true);
        check(r"a\.b", "axb", false);
        check("[.]", "x", false);
    }

    #[test]
    fn a_text_too_long_to_be_legal_does_not_match() {
        check("a*", &"a".repeat(TEXT_BYTES_MAX + 1), false);
    }

    #[test]
    fn backtracking_is_bounded() {
        check(r"(?=a)(a|aa)+b", &"a".repeat(5_000), false);
    }
}
