//! `a*c`: a text with gaps.

/// A text in which each `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    /// The texts between the gaps; one if there is no gap.
    pieces: Vec<Box<str>>,
}

impl Wildcard {
    /// `\*` is an asterisk and `\\` a backslash.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut piece = String::new();
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            // AWS counts the quote before the text.
            let position = at + 1;
            match (letter, letters.peek().map(|(_, next)| *next)) {
                ('*', Some('*')) => return Err(format!("Consecutive wildcard characters at pos {position}")),
                ('*', _) => pieces.push(std::mem::take(&mut piece).into()),
                ('\\', Some(escaped @ ('*' | '\\'))) => {
                    letters.next();
                    piece.push(escaped);
                }
                ('\\', _) => return Err(format!("Invalid escape character at pos {position}")),
                (letter, _) => piece.push(letter),
            }
        }
        pieces.push(piece.into());
        Ok(Self { pieces })
    }

    /// Whether the whole text matches. Taking the first place for each piece is enough, so there is no going back.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| **only == *text);
        };
        let Some(rest) = text.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
        middle.iter().all(|piece| match rest.find(&**piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}
