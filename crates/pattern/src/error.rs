//! What is wrong with a pattern, in AWS's words.

use std::fmt;

/// The text is not a pattern.
///
/// It prints as EventBridge prints it after `Event pattern is not valid. Reason: `, with the place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    reason: String,
    place: Option<String>,
    malformed: bool,
}

/// How much of the text an error quotes, in characters.
const QUOTED_CHARS_MAX: usize = 500;

impl PatternError {
    /// The JSON is in order, what it says is not.
    pub(crate) fn new(reason: impl Into<String>, place: Option<String>) -> Self {
        Self { reason: reason.into(), place, malformed: false }
    }

    /// The text is not JSON.
    pub(crate) fn malformed(reason: impl Into<String>, place: String) -> Self {
        Self { reason: reason.into(), place: Some(place), malformed: true }
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the text is not even JSON.
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.place {
            Some(place) => write!(f, "\n at {place}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PatternError {}

/// `[Source: (String)"{...}"; line: 1, column: 9]`: the place before the byte at `offset`.
pub(crate) fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    // Columns count as Java counts characters.
    let column = before[line_start..].encode_utf16().count() + 1;
    let characters = text.chars().count();
    let quoted: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    let more = match characters.checked_sub(QUOTED_CHARS_MAX) {
        None | Some(0) => String::new(),
        Some(more) => format!("[truncated {more} chars]"),
    };
    format!("[Source: (String)\"{quoted}\"{more}; line: {line}, column: {column}]")
}
