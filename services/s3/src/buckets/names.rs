//! What a bucket may be called. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

use std::net::Ipv4Addr;

use s3s::S3ErrorCode;

use crate::error::{Refusal, refuse};

const CHARACTERS: std::ops::RangeInclusive<usize> = 3..=63;
/// What new names must not begin or end with: AWS has uses of its own for those.
const PREFIXES_RESERVED: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES_RESERVED: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Refuses a name that no bucket can have.
pub(crate) fn check(name: &str) -> Result<(), Refusal> {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let fits = CHARACTERS.contains(&bytes.len())
        && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err();
    if fits { Ok(()) } else { Err(invalid(name)) }
}

/// Refuses a name that no new bucket can have.
pub(crate) fn check_new(name: &str) -> Result<(), Refusal> {
    check(name)?;
    let is_reserved = PREFIXES_RESERVED.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES_RESERVED.iter().any(|suffix| name.ends_with(suffix));
    if is_reserved { Err(invalid(name)) } else { Ok(()) }
}

fn invalid(name: &str) -> Refusal {
    refuse(S3ErrorCode::InvalidBucketName, "The specified bucket is not valid.").with("BucketName", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_s3s_rules() {
        let long = "b".repeat(63);
        for name in ["abc", "a.b-c.9", "1bucket", long.as_str(), "a--b", "xn--old"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let longer = "b".repeat(64);
        for name in ["ab", "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "192.168.1.1", &longer, "bü"]
        {
            assert!(check(name).is_err(), "{name}");
        }
        for name in ["xn--new", "sthree-x", "my-s3alias", "my--ol-s3", "my.mrap", "amzn-s3-demo-bucket"] {
            assert!(check_new(name).is_err(), "{name}");
        }
    }
}
