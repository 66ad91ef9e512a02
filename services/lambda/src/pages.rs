//! Lists in pages: `Marker` and `MaxItems` in, `NextMarker` out.

use std::fmt::Display;
use std::str::FromStr;

use wire::{Error, pages};

use crate::error::invalid_parameter;

/// How many entries a page holds at most, whatever the caller asks for.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE_MAX: usize = 50;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// What the previous page ended with.
    pub after: Option<K>,
    wanted: usize,
}

impl<K: FromStr> Page<K> {
    /// Reads `Marker` and `MaxItems`.
    pub fn parse(marker: Option<&str>, max_items: Option<i32>) -> Result<Self, Error> {
        let after = marker.filter(|marker| !marker.is_empty()).map(read_marker).transpose()?;
        let wanted = max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(PAGE_MAX);
        Ok(Self { after, wanted: wanted.min(PAGE_MAX) })
    }
}

impl<K> Page<K> {
    /// How many entries to read: one more than wanted tells that there is a next page.
    pub fn limit(&self) -> usize {
        self.wanted + 1
    }

    /// The page of what was read, and `NextMarker` if there is more.
    pub fn cut<T, M: Display>(
        &self,
        mut entries: Vec<T>,
        marker: impl FnOnce(&T) -> M,
    ) -> (Vec<T>, Option<String>) {
        let more = entries.len() > self.wanted;
        entries.truncate(self.wanted);
        let next = entries.last().filter(|_| more).map(|last| pages::token(&marker(last).to_string()));
        (entries, next)
    }
}

fn read_marker<K: FromStr>(marker: &str) -> Result<K, Error> {
    pages::read_token(marker).and_then(|place| place.parse().ok()).ok_or_else(|| {
        invalid_parameter("The pagination marker is invalid. Use the NextMarker of the previous page.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_leads_to_the_rest() {
        let all: Vec<u64> = (1..=7).collect();
        let (mut marker, mut seen) = (None, Vec::new());
        loop {
            let page = Page::<u64>::parse(marker.as_deref(), Some(3)).unwrap();
            let rest = all.iter().copied().filter(|entry| page.after.is_none_or(|after| *entry > after));
            let (entries, next) = page.cut(rest.take(page.limit()).collect(), |last| *last);
            seen.push(entries.len());
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, [3, 3, 1]);
    }

    #[test]
    fn a_page_holds_fifty_at_most_and_a_marker_is_checked() {
        assert_eq!(Page::<u64>::parse(None, Some(10_000)).unwrap().limit(), 51);
        assert_eq!(Page::<u64>::parse(Some("x"), None).unwrap_err().code, "InvalidParameterValueException");
    }
}
