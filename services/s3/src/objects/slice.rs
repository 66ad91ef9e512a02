//! Which bytes of an object a reader wants: all, a range, or a part.

use std::ops::Range;

use s3s::S3ErrorCode;
use s3s::dto;

use crate::error::{Refusal, custom, invalid_argument, refuse};
use crate::record::Object;

/// Bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) bytes: Range<u64>,
    /// Whether the answer is 206 and says which bytes it has.
    pub(super) partial: bool,
}

/// What a reader wants.
pub(super) fn slice(
    object: &Object,
    range: Option<&dto::Range>,
    part: Option<i32>,
) -> Result<Slice, Refusal> {
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(invalid_argument("Cannot specify both Range header and partNumber query parameter"))
        }
        (None, None) => Ok(Slice { bytes: 0..object.size, partial: false }),
        (Some(range), None) => of_range(object.size, range),
        (None, Some(part)) => of_part(object, part),
    }
}

fn of_range(size: u64, range: &dto::Range) -> Result<Slice, Refusal> {
    let bytes = match *range {
        dto::Range::Int { first, last } => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        dto::Range::Suffix { length } => size.saturating_sub(length)..size,
    };
    if bytes.is_empty() {
        return Err(refuse(S3ErrorCode::InvalidRange, "The requested range is not satisfiable")
            .with("RangeRequested", &range.to_header_string())
            .with("ActualObjectSize", &size.to_string())
            .header("content-range", &format!("bytes */{size}")));
    }
    Ok(Slice { bytes, partial: true })
}

fn of_part(object: &Object, part: i32) -> Result<Slice, Refusal> {
    let unsatisfiable = || {
        custom(
            "InvalidPartNumber",
            http::StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        )
        .with("PartNumberRequested", &part.to_string())
        .with("ActualPartCount", &object.parts.len().max(1).to_string())
    };
    let index = usize::try_from(part)
        .ok()
        .filter(|part| (1..=10_000).contains(part))
        .ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))?;
    if object.parts.is_empty() {
        // An object written whole has one part.
        return if index == 1 {
            Ok(Slice { bytes: 0..object.size, partial: true })
        } else {
            Err(unsatisfiable())
        };
    }
    // Counted, not named: parts 3 and 7 of an upload are the object's first and second.
    let size = object.parts.get(index - 1).ok_or_else(unsatisfiable)?.size;
    let start: u64 = object.parts[..index - 1].iter().map(|part| part.size).sum();
    Ok(Slice { bytes: start..start + size, partial: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PartOf;

    #[test]
    fn a_range_is_cut_to_the_object() {
        let check = |header: &str, size, expected: Option<Range<u64>>| {
            let range = dto::Range::parse(header).unwrap();
            assert_eq!(of_range(size, &range).ok().map(|slice| slice.bytes), expected, "{header} of {size}");
        };
        check("bytes=0-0", 10, Some(0..1));
        check("bytes=3-", 10, Some(3..10));
        check("bytes=3-99", 10, Some(3..10));
        check("bytes=-4", 10, Some(6..10));
        check("bytes=-99", 10, Some(0..10));
        check("bytes=10-", 10, None);
        check("bytes=0-", 0, None);
        check("bytes=-5", 0, None);
    }

    #[test]
    fn parts_are_counted() {
        let part = |number, size| PartOf { number, size, checksum: None };
        let object = Object { size: 12, parts: vec![part(3, 5), part(7, 7)], ..Object::default() };
        assert_eq!(of_part(&object, 1).unwrap().bytes, 0..5);
        assert_eq!(of_part(&object, 2).unwrap().bytes, 5..12);
        assert!(of_part(&object, 3).is_err() && of_part(&object, 0).is_err());
        let whole = Object { size: 12, ..Object::default() };
        assert_eq!(of_part(&whole, 1).unwrap().bytes, 0..12);
        assert!(of_part(&whole, 2).is_err());
    }
}
