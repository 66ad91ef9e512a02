//! Tags of roles, users and policies.

use domain::limits::TAGS;
use wire::Error;

use crate::error::{invalid_input, limit_exceeded};
use crate::record::Tag;
use crate::shapes;

/// The tags of a resource in the making.
pub(crate) fn of_new(tags: Option<Vec<shapes::Tag>>) -> Result<Vec<Tag>, Error> {
    let mut all = Vec::new();
    add(&mut all, tags.unwrap_or_default())?;
    Ok(all)
}

/// Adds tags; one whose key is there, whatever its case, gets the new value.
pub(crate) fn add(existing: &mut Vec<Tag>, new: Vec<shapes::Tag>) -> Result<(), Error> {
    for (index, tag) in new.iter().enumerate() {
        if new[..index].iter().any(|earlier| earlier.key.eq_ignore_ascii_case(&tag.key)) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if tag.key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(invalid_input("Tag keys that start with \"aws:\" are reserved for use by AWS."));
        }
    }
    for shapes::Tag { key, value } in new {
        match existing.iter_mut().find(|tag| tag.key.eq_ignore_ascii_case(&key)) {
            Some(tag) => *tag = Tag { key, value },
            None => existing.push(Tag { key, value }),
        }
    }
    if existing.len() > TAGS {
        return Err(limit_exceeded("The number of tags has reached the maximum limit."));
    }
    Ok(())
}

/// Removes tags. Keys that are not there are no mistake.
pub(crate) fn remove(existing: &mut Vec<Tag>, keys: &[String]) {
    existing.retain(|tag| !keys.iter().any(|key| key.eq_ignore_ascii_case(&tag.key)));
}

/// Tags as answers carry them: absent if there are none.
pub(crate) fn shown(tags: &[Tag]) -> Option<Vec<shapes::Tag>> {
    (!tags.is_empty()).then(|| all_shown(tags))
}

/// Tags as lists of tags carry them.
pub(crate) fn all_shown(tags: &[Tag]) -> Vec<shapes::Tag> {
    tags.iter().map(|Tag { key, value }| shapes::Tag { key: key.clone(), value: value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> shapes::Tag {
        shapes::Tag { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_key_is_replaced_whatever_its_case() {
        let mut tags = of_new(Some(vec![tag("Team", "a"), tag("env", "x")])).unwrap();
        add(&mut tags, vec![tag("team", "b")]).unwrap();
        assert_eq!(all_shown(&tags), [tag("team", "b"), tag("env", "x")]);
        remove(&mut tags, &["ENV".to_owned(), "missing".to_owned()]);
        assert_eq!(all_shown(&tags), [tag("team", "b")]);
    }

    #[test]
    fn duplicate_reserved_and_too_many_keys_are_refused() {
        let error = of_new(Some(vec![tag("a", ""), tag("A", "")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive."
        );
        assert_eq!(of_new(Some(vec![tag("aws:x", "")])).unwrap_err().code, "InvalidInput");
        let mut tags = of_new(Some((0..50).map(|n| tag(&n.to_string(), "")).collect())).unwrap();
        let error = add(&mut tags, vec![tag("one more", "")]).unwrap_err();
        assert_eq!(error.to_string(), "LimitExceeded: The number of tags has reached the maximum limit.");
    }
}
