//! Patterns with wildcards and variables: `arn:aws:s3:::home/${aws:username}/*`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use std::borrow::Cow;

use crate::Context;

/// A pattern of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    written: String,
    /// Nothing if the pattern is its own text: neither wildcard nor variable.
    pieces: Option<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `*`
    Any,
    /// `?`
    One,
    /// `${key}` or `${key, 'default'}`
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// One step of a match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Glyph {
    Char(char),
    Any,
    One,
}

impl Pattern {
    /// A pattern of a document of the present version, with variables.
    pub(crate) fn new(text: &str) -> Self {
        Self::parse(text, true)
    }

    /// A pattern of a document of the old version: `${…}` is text.
    pub(crate) fn without_variables(text: &str) -> Self {
        Self::parse(text, false)
    }

    fn parse(text: &str, variables: bool) -> Self {
        let is_pattern = text.contains(['*', '?']) || (variables && text.contains("${"));
        Self { written: text.to_owned(), pieces: is_pattern.then(|| pieces(text, variables)) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }

    /// The whole text, with wildcards. A variable that has no value matches nothing.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        match &self.pieces {
            None => self.written == text,
            Some(pieces) => glyphs(pieces, context)
                .is_some_and(|glyphs| matches(&glyphs, &text.chars().collect::<Vec<_>>())),
        }
    }

    /// As [`matches`](Self::matches), whatever the case: of actions.
    pub(crate) fn matches_ignoring_case(&self, text: &str, context: &Context) -> bool {
        match &self.pieces {
            None => self.written.eq_ignore_ascii_case(text),
            Some(pieces) => glyphs(pieces, context).is_some_and(|mut glyphs| {
                for glyph in &mut glyphs {
                    if let Glyph::Char(char) = glyph {
                        char.make_ascii_lowercase();
                    }
                }
                matches(&glyphs, &text.to_ascii_lowercase().chars().collect::<Vec<_>>())
            }),
        }
    }

    /// As text in which wildcards mean themselves; nothing if a variable has no value.
    pub(crate) fn text(&self, context: &Context) -> Option<Cow<'_, str>> {
        let Some(pieces) = &self.pieces else { return Some(Cow::Borrowed(&self.written)) };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Any => text.push('*'),
                Piece::One => text.push('?'),
                Piece::Variable { key, default } => {
                    text.push_str(context.one(key).or(default.as_deref())?);
                }
            }
        }
        Some(Cow::Owned(text))
    }

    /// Each of an ARN's six parts on its own: a wildcard does not reach over a colon, except in the last part.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    pub(crate) fn matches_arn(&self, arn: &str, context: &Context) -> bool {
        const PARTS: usize = 6;
        let Some(pieces) = &self.pieces else { return self.written == arn };
        let Some(glyphs) = glyphs(pieces, context) else { return false };
        let mut wanted = glyphs.splitn(PARTS, |glyph| *glyph == Glyph::Char(':'));
        let mut found = arn.splitn(PARTS, ':');
        loop {
            match (wanted.next(), found.next()) {
                (Some(wanted), Some(found)) => {
                    if !matches(wanted, &found.chars().collect::<Vec<_>>()) {
                        return false;
                    }
                    // What ends early with a star stands for all the rest.
                    if wanted.last() == Some(&Glyph::Any)
                        && wanted.as_ptr_range().end == glyphs.as_ptr_range().end
                    {
                        return true;
                    }
                }
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

fn pieces(text: &str, variables: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let (piece, length) = match char {
            '*' => (Some(Piece::Any), 1),
            '?' => (Some(Piece::One), 1),
            '$' if variables => match variable(rest) {
                // `${*}`, `${?}` and `${$}` are the characters themselves.
                Some((name @ ("*" | "?" | "$"), length)) => {
                    plain.push_str(name);
                    (None, length)
                }
                Some((name, length)) => (Some(named(name)), length),
                None => {
                    plain.push('$');
                    (None, 1)
                }
            },
            other => {
                plain.push(other);
                (None, other.len_utf8())
            }
        };
        if let Some(piece) = piece {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        rest = &rest[length..];
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// The inside of a `${…}` at the start, and the length of the whole.
fn variable(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("${")?;
    let end = inside.find('}')?;
    Some((&inside[..end], end + "${}".len()))
}

fn named(inside: &str) -> Piece {
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let quoted = default.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (key, Some(quoted.unwrap_or(default).to_owned()))
        }
        None => (inside, None),
    };
    Piece::Variable { key: key.trim().to_owned(), default }
}

fn glyphs(pieces: &[Piece], context: &Context) -> Option<Vec<Glyph>> {
    let mut glyphs = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => glyphs.extend(text.chars().map(Glyph::Char)),
            Piece::Any => glyphs.push(Glyph::Any),
            Piece::One => glyphs.push(Glyph::One),
            // What stands in the place of a variable is text, whatever it contains.
            Piece::Variable { key, default } => {
                let value = context.one(key).or(default.as_deref())?;
                glyphs.extend(value.chars().map(Glyph::Char));
            }
        }
    }
    Some(glyphs)
}

/// Linear in the product of the lengths: no pattern makes it slow.
fn matches(pattern: &[Glyph], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Glyph::Any) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Glyph::One) => (p, t) = (p + 1, t + 1),
            Some(Glyph::Char(char)) if *char == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|glyph| *glyph == Glyph::Any)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text, &Context::new())
    }

    #[test]
    fn wildcards_match_and_never_run_away() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aüc", true),
            ("*a*b*", "xxaxxbxx", true),
            ("", "a", false),
            ("a**", "a", true),
            ("${*}", "*", true),
            ("${*}", "a", false),
            ("a${?}b${$}", "a?b$", true),
            ("$", "$", true),
            ("${open", "${open", true),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
        assert!(!like(&"*a".repeat(500), &"a".repeat(499)));
    }

    #[test]
    fn variables_are_text_and_may_have_a_default() {
        let context = Context::new().with("aws:username", "s*m");
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).matches(text, &context);
        assert!(matches("home/${aws:UserName}/*", "home/s*m/x"));
        assert!(!matches("home/${aws:username}/*", "home/sam/x"));
        assert!(!matches("home/${aws:other}/*", "home//x"));
        assert!(matches("home/${aws:other, 'all'}/*", "home/all/x"));
        let old = Pattern::without_variables("home/${aws:username}/*");
        assert!(old.matches("home/${aws:username}/x", &context) && !old.matches("home/s*m/x", &context));
    }

    #[test]
    fn a_wildcard_of_an_arn_stays_in_its_part() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
        for (pattern, matches) in [
            ("*", true),
            ("arn:aws:lambda:*", true),
            ("arn:*:lambda:*:*:function:*", true),
            ("arn:aws:lambda:us-east-?:123456789012:function:f:live", true),
            ("arn:aws:*:123456789012:function:f:live", false),
            ("arn:aws:lambda:us-east-1:123456789012:function", false),
            (arn, true),
        ] {
            assert_eq!(Pattern::new(pattern).matches_arn(arn, &Context::new()), matches, "{pattern}");
        }
    }

    /// The definition: a star is any number of characters.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (Some(('?', rest)), Some((_, text))) => naive(rest, text),
            (Some((char, rest)), Some((first, text))) => char == first && naive(rest, text),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_is_defined_to_be(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn any_text_is_a_pattern(pattern in any::<String>(), text in any::<String>()) {
            let pattern = Pattern::new(&pattern);
            let _ = (pattern.matches(&text, &Context::new()), pattern.matches_arn(&text, &Context::new()));
        }
    }
}
