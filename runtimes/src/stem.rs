//! What a stem is told when it becomes a function's.
//!
//! A runtime started with [`STEM_VARIABLE`] does everything that does not depend on the function, writes one byte on
//! [`STEM_FD`] and waits there for [`specialisation`]. Without the variable it finds everything in its environment, as
//! AWS's clients do.

use std::collections::BTreeMap;

use domain::Family;
use serde::Serialize;

use crate::Serving;

/// Set to `1`, it makes a runtime a stem.
pub const STEM_VARIABLE: &str = "HEARTH_STEM";
/// The descriptor on which a stem talks.
pub const STEM_FD: i32 = 3;

impl Serving {
    /// Whether the runtime's client knows how to be a stem.
    pub fn can_be_stem(&self) -> bool {
        matches!(self.runtime().family(), Family::Python | Family::Node | Family::Ruby)
    }
}

#[derive(Serialize)]
struct Message<'a> {
    env: &'a BTreeMap<String, String>,
    handler: &'a str,
}

/// The message that specialises a stem: its length in four bytes, the highest first, and JSON.
pub fn specialisation(env: &BTreeMap<String, String>, handler: &str) -> Vec<u8> {
    let json = serde_json::to_vec(&Message { env, handler }).expect("strings can be written as JSON");
    // An environment is a few kibibytes by AWS's limits.
    let length = u32::try_from(json.len()).expect("an environment is far below 4 GiB");
    [&length.to_be_bytes(), json.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_comes_first_then_the_environment_and_the_handler() {
        let env = BTreeMap::from([("GREETING".to_owned(), "grüß".to_owned())]);
        let message = specialisation(&env, "index.handler");
        let (length, json) = message.split_at(4);
        assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, json.len());
        assert_eq!(
            std::str::from_utf8(json).unwrap(),
            r#"{"env":{"GREETING":"grüß"},"handler":"index.handler"}"#
        );
    }
}
