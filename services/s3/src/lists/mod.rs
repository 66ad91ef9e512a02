//! ListObjects, ListObjectsV2 and ListObjectVersions: one [`walk`], three ways to say what was found.

mod objects;
mod versions;
mod walk;

pub(crate) use objects::owner;
pub(crate) use walk::{behind, folded};

pub(crate) use objects::{list, list_v2};
pub(crate) use versions::list as list_versions;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{CommonPrefix, EncodingType};

use crate::error::{Refusal, invalid_argument};

/// What one answer may hold. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
const KEYS_MAX: i32 = 1000;
/// What stays in a key that is written as in a URL.
const IN_URL: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// How many keys an answer is to have.
fn count(max_keys: Option<i32>) -> Result<i32, Refusal> {
    match max_keys {
        None => Ok(KEYS_MAX),
        Some(count) if count >= 0 => Ok(count.min(KEYS_MAX)),
        Some(_) => Err(invalid_argument("Argument maxKeys must be an integer between 0 and 2147483647")),
    }
}

/// How keys are written: as they are, or as in a URL, for what XML cannot hold.
#[derive(Clone, Copy)]
pub(crate) struct Spelling {
    url: bool,
}

impl Spelling {
    pub(crate) fn of(encoding: Option<&EncodingType>) -> Result<Self, Refusal> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(_) => Err(invalid_argument("Invalid Encoding Method specified in Request")),
        }
    }

    pub(crate) fn write(self, key: &str) -> String {
        if self.url { in_url(key) } else { key.to_owned() }
    }

    pub(crate) fn prefixes(self, prefixes: Vec<String>) -> Option<Vec<CommonPrefix>> {
        let written = prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(self.write(prefix)) });
        Some(written.collect()).filter(|prefixes: &Vec<_>| !prefixes.is_empty())
    }
}

/// A key as a form writes it, but with its slashes.
pub(crate) fn in_url(key: &str) -> String {
    utf8_percent_encode(key, &IN_URL).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_url_is_written_as_s3_does() {
        let written = Spelling { url: true }.write("a b+c/ü&%~\u{1}*");
        assert_eq!(written, "a+b%2Bc/%C3%BC%26%25%7E%01*");
        assert_eq!(Spelling { url: false }.write("a b"), "a b");
    }
}
