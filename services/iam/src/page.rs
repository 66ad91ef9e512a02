//! Lists in pages: `Marker`, `MaxItems`, `IsTruncated`.

use wire::{Error, pages};

use crate::error::validation_error;

/// `MaxItems` when none is given.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
const MAX_ITEMS_DEFAULT: usize = 100;

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) is_truncated: Option<bool>,
    /// Names the last item of the page, so that items may come and go between two calls.
    pub(crate) marker: Option<String>,
}

/// Cuts the page after `marker` out of a list that is sorted by its keys. A key must fit a marker: 200 bytes.
pub(crate) fn page<T>(
    sorted: impl IntoIterator<Item = (String, T)>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<T>, Error> {
    let after = marker.map(read_marker).transpose()?;
    let max_items = max_items.and_then(|count| usize::try_from(count).ok()).unwrap_or(MAX_ITEMS_DEFAULT);
    let (items, marker) = pages::page(sorted, after.as_deref(), max_items);
    Ok(Page { items, is_truncated: Some(marker.is_some()), marker })
}

/// The place of an item in a list that has no keys of its own.
pub(crate) fn numbered<T>(items: Vec<T>) -> impl Iterator<Item = (String, T)> {
    items.into_iter().enumerate().map(|(index, item)| (format!("{index:04}"), item))
}

fn read_marker(marker: &str) -> Result<String, Error> {
    pages::read_token(marker).ok_or_else(|| validation_error("Invalid Marker."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter().map(|key| ((*key).to_owned(), (*key).to_owned())).collect()
    }

    #[test]
    fn pages_follow_one_another_until_the_list_ends() {
        let first = page(list(&["a", "b", "c"]), None, Some(2)).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        assert_eq!(first.is_truncated, Some(true));
        let second = page(list(&["a", "b", "c"]), first.marker.as_deref(), Some(2)).unwrap();
        assert_eq!(second, Page { items: vec!["c".to_owned()], is_truncated: Some(false), marker: None });
    }

    #[test]
    fn a_page_continues_although_its_marker_is_gone() {
        let first = page(list(&["a", "b", "c"]), None, Some(2)).unwrap();
        let second = page(list(&["a", "bb", "c"]), first.marker.as_deref(), None).unwrap();
        assert_eq!(second.items, ["bb", "c"]);
    }

    #[test]
    fn a_hundred_items_are_a_page() {
        let items: Vec<_> = numbered((0..101).collect()).collect();
        let first = page(items, None, None).unwrap();
        assert_eq!((first.items.len(), first.is_truncated), (100, Some(true)));
    }

    #[test]
    fn a_marker_that_is_not_ours_is_refused() {
        for marker in ["é", "a!", "_w"] {
            let error = page(list(&["a"]), Some(marker), None).unwrap_err();
            assert_eq!(error.to_string(), "ValidationError: Invalid Marker.", "{marker}");
        }
    }
}
