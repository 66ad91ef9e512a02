//! What all batches have in common: their ids, and entries that fail alone.

use std::collections::HashSet;

use wire::Error;

use crate::limits::{BATCH_ENTRIES_MAX, BATCH_ID_CHARS_MAX};
use crate::shapes::{BatchResultErrorEntry, SERVICE};

/// Checks the ids of a batch's entries.
pub fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Error> {
    let count = ids.len();
    if count == 0 {
        return Err(Error::new("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if count > BATCH_ENTRIES_MAX {
        return Err(Error::new(
            "TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are {BATCH_ENTRIES_MAX}. You have sent {count}."),
        ));
    }
    let mut seen = HashSet::new();
    for id in ids {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > BATCH_ID_CHARS_MAX || !id.bytes().all(legal) {
            return Err(Error::new(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(Error::new("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

/// An entry that failed, under the code that the query protocol has for it: in batches, JSON keeps those.
pub fn failed(id: String, error: Error) -> BatchResultErrorEntry {
    let code =
        SERVICE.query_error(&error.code).map_or(error.code.as_ref(), |other| other.query_code).to_owned();
    let sender_fault = error.status(&SERVICE) < 500;
    BatchResultErrorEntry { id, sender_fault, code, message: Some(error.message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_in_awss_words() {
        let check = |ids: &[&str], expected: Option<&str>| {
            let seen = check_ids(ids.iter().copied()).err().map(|error| error.code);
            assert_eq!(seen.as_deref(), expected, "{ids:?}");
        };
        check(&["a", "b-_9"], None);
        check(&[], Some("EmptyBatchRequest"));
        check(&["a"; 11], Some("TooManyEntriesInBatchRequest"));
        check(&["a", "a"], Some("BatchEntryIdsNotDistinct"));
        for wrong in ["", "a:b", &"x".repeat(81)] {
            check(&[wrong], Some("InvalidBatchEntryId"));
        }
    }
}
