//! Completing an upload again: a client that has not heard the answer asks once more, and S3 answers the same.

use std::ops::ControlFlow;

use s3s::dto::CompletedPart;
use store::{Scan, Snapshot};

use super::complete::etag;
use crate::error::Refusal;
use crate::record::{Object, VERSIONS, Version};

/// So many versions that came after it may there be: who asks again does so soon.
const VERSIONS_LOOKED_AT_MAX: usize = 100;

/// The version that an upload (its bucket, key and id) has become of just these parts, while it is there.
pub(super) fn find(
    snapshot: &Snapshot<'_>,
    (bucket, key, id): (&str, &str, &str),
    named: &[CompletedPart],
) -> Result<Option<Version>, Refusal> {
    let mut found = None;
    let scan = Scan::prefix((bucket, key)).limit(VERSIONS_LOOKED_AT_MAX);
    snapshot.visit(&VERSIONS, &scan, |_, version: Version| {
        let is_it = |object: &Object| object.upload.as_deref() == Some(id) && made_of(object, named);
        if version.object.as_ref().is_some_and(is_it) {
            found = Some(version);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn made_of(object: &Object, named: &[CompletedPart]) -> bool {
    let numbers = named.iter().map(|part| part.part_number.and_then(|number| u64::try_from(number).ok()));
    let etags: Option<Vec<&str>> =
        named.iter().map(|part| part.e_tag.as_ref().map(|etag| etag.value().trim_matches('"'))).collect();
    object.parts.iter().map(|part| Some(part.number)).eq(numbers)
        && etags.and_then(|etags| etag(etags.into_iter())).is_some_and(|etag| etag == object.etag)
}

#[cfg(test)]
mod tests {
    use s3s::dto::ETag;

    use super::*;
    use crate::record::PartOf;

    #[test]
    fn it_is_the_same_only_with_the_same_parts() {
        let (one, two) = ("c4ca4238a0b923820dcc509a6f75849b", "c81e728d9d4c2f636f067f89cc14862c");
        let object = Object {
            etag: etag([one, two].into_iter()).unwrap(),
            parts: [1, 3].map(|number| PartOf { number, size: 1, checksum: None }).to_vec(),
            ..Object::default()
        };
        let check = |parts: &[(i32, &str)], expected| {
            let named: Vec<_> = parts
                .iter()
                .map(|(number, etag)| CompletedPart {
                    part_number: Some(*number),
                    e_tag: Some(ETag::Strong((*etag).to_owned())),
                    ..CompletedPart::default()
                })
                .collect();
            assert_eq!(made_of(&object, &named), expected, "{parts:?}");
        };
        check(&[(1, one), (3, two)], true);
        check(&[(1, one), (2, two)], false);
        check(&[(1, two), (3, one)], false);
        check(&[(1, one)], false);
        check(&[(1, one), (3, "no digest")], false);
    }
}
