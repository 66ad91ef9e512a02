//! What a dead letter says of how it became one.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>

use std::borrow::Cow;

use serde_json::Value;

use crate::answer::Exhausted;
use crate::record::{Attribute, DeadLetter, Message};

/// The code of a failure that nobody has named.
const UNNAMED: &str = "ERROR_FROM_TARGET";
/// A message is at most a mebibyte with its attributes; a reason is to be read.
const REASON_CHARS_MAX: usize = 1_000;

/// How a delivery ended that was given up.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) code: Option<Cow<'static, str>>,
    pub(crate) why: String,
    pub(crate) exhausted: Option<Exhausted>,
    /// Attempts after the first.
    pub(crate) retries: u32,
}

impl Ending {
    /// The details of the letter: with this ending, if it is one that tells.
    pub(crate) fn details(&self, letter: DeadLetter) -> Value {
        if !letter.explained {
            return letter.details;
        }
        let mut message: Message = serde_json::from_value(letter.details).unwrap_or_default();
        let mut say = |name: &str, value: Attribute| message.attributes.insert(name.to_owned(), value);
        // A message is made of printable characters.
        let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
        let why: String = self.why.chars().map(printable).take(REASON_CHARS_MAX).collect();
        say("ERROR_CODE", Attribute::string(self.code.as_deref().unwrap_or(UNNAMED)));
        say("ERROR_MESSAGE", Attribute::string(why));
        say("RETRY_ATTEMPTS", Attribute::string(self.retries.to_string()));
        match self.exhausted {
            Some(Exhausted::Attempts) => {
                say("EXHAUSTED_RETRY_CONDITION", Attribute::string("MaximumRetryAttempts"));
            }
            Some(Exhausted::Age) => {
                say("EXHAUSTED_RETRY_CONDITION", Attribute::string("MaximumEventAgeInSeconds"));
            }
            None => {}
        }
        serde_json::to_value(message).unwrap_or_default()
    }
}
