//! Walks a bucket's keys in their order, past what a delimiter folds and past versions that nobody asked for: by seeking,
//! so that a page costs what it shows and not what it skips.

use std::ops::ControlFlow;

use store::{Scan, Snapshot};

use crate::error::Refusal;
use crate::record::{VERSIONS, Version};

/// So many rows in a row that are of no use are walked before the next useful one is looked for.
const SKIPPED_MAX: usize = 8;

/// Which keys are wanted.
pub(super) struct Wanted<'w> {
    pub(super) bucket: &'w str,
    pub(super) prefix: &'w str,
    /// Keys that have it behind the prefix are folded.
    pub(super) delimiter: Option<&'w str>,
    pub(super) after: After,
    pub(super) count: usize,
    /// Every version and delete marker, or current objects alone.
    pub(super) versions: bool,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    Start,
    /// Behind all versions of a key.
    Key(String),
    /// Behind all keys with a prefix.
    Prefix(String),
    /// Behind one version of a key.
    Version(String, u64),
}

impl After {
    /// Where a page begins that follows the one with this as its last item: a folded prefix, if it is one, or a key.
    pub(super) fn marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> Self {
        match folded(marker, prefix, delimiter) {
            Some(folded) if folded == marker => Self::Prefix(marker.to_owned()),
            _ => Self::Key(marker.to_owned()),
        }
    }
}

/// One thing on a page.
pub(super) enum Item {
    Version { key: String, version: Box<Version>, latest: bool },
    Prefix(String),
}

/// A page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// Whether there is more.
    pub(super) truncated: bool,
}

/// What a key is folded into.
pub(crate) fn folded<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(&key[..end])
}

/// The first text behind all that begin with this one.
pub(crate) fn behind(prefix: &str) -> Option<String> {
    let last = prefix.chars().next_back()?;
    // There is nothing behind the last character, and nothing between the two halves of the surrogates.
    let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32)?;
    let mut behind = prefix[..prefix.len() - last.len_utf8()].to_owned();
    behind.push(next);
    Some(behind)
}

/// A page of what is wanted.
pub(super) fn walk(snapshot: &Snapshot<'_>, wanted: &Wanted<'_>) -> Result<Page, Refusal> {
    let mut page = Page::default();
    let mut position = wanted.after.clone();
    if wanted.count == 0 {
        return Ok(page);
    }
    loop {
        let Some(scan) = scan(wanted, &position) else { return Ok(page) };
        // A key of which a version has been seen: what follows of it is not its latest.
        let mut seen = match &position {
            After::Version(key, _) => Some(key.clone()),
            _ => None,
        };
        let (mut seek, mut skipped) = (None, 0);
        snapshot.visit(&VERSIONS, &scan, |(_, key, _), version: Version| {
            let latest = seen.as_deref() != Some(key.as_str());
            seen = Some(key.clone());
            let shown = wanted.versions || (latest && version.object.is_some());
            if !shown {
                skipped += 1;
                if skipped > SKIPPED_MAX {
                    seek = Some(After::Key(key));
                    return ControlFlow::Break(());
                }
                return ControlFlow::Continue(());
            }
            if page.items.len() == wanted.count {
                page.truncated = true;
                return ControlFlow::Break(());
            }
            if let Some(folded) = folded(&key, wanted.prefix, wanted.delimiter) {
                page.items.push(Item::Prefix(folded.to_owned()));
                seek = Some(After::Prefix(folded.to_owned()));
                return ControlFlow::Break(());
            }
            skipped = 0;
            page.items.push(Item::Version { key, version: Box::new(without_contents(version)), latest });
            ControlFlow::Continue(())
        })?;
        match seek {
            Some(next) => position = next,
            None => return Ok(page),
        }
    }
}

/// What a list says of a version. Where its bytes are, which may be in ten thousand places, it does not.
fn without_contents(mut version: Version) -> Version {
    if let Some(object) = &mut version.object {
        (object.segments, object.parts) = (Vec::new(), Vec::new());
    }
    version
}

fn scan(wanted: &Wanted<'_>, position: &After) -> Option<Scan<(String, String, u64)>> {
    let scan = Scan::prefix((wanted.bucket,)).starting_with(wanted.prefix);
    Some(match position {
        After::Start => scan,
        After::Key(key) => scan.after((wanted.bucket, key.as_str(), u64::MAX)),
        After::Prefix(prefix) => scan.at_least((wanted.bucket, behind(prefix)?.as_str())),
        After::Version(key, rank) => scan.after((wanted.bucket, key.as_str(), *rank)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_folded_at_the_first_delimiter_behind_the_prefix() {
        for (key, prefix, delimiter, expected) in [
            ("a/b/c", "", Some("/"), Some("a/")),
            ("a/b/c", "a/", Some("/"), Some("a/b/")),
            ("a/b", "a/", Some("/"), None),
            ("a/b", "", None, None),
            ("a/b", "", Some(""), None),
            ("a--b--c", "a-", Some("--"), Some("a--b--")),
            ("übel/é", "ü", Some("/"), Some("übel/")),
            ("x", "y", Some("/"), None),
        ] {
            assert_eq!(folded(key, prefix, delimiter), expected, "{key} {prefix} {delimiter:?}");
        }
    }

    #[test]
    fn what_is_behind_a_prefix_is_behind_all_that_begin_with_it() {
        for (prefix, expected) in
            [("a/", Some("a0")), ("a\u{d7ff}", Some("a\u{e000}")), ("\u{10ffff}", None), ("", None)]
        {
            assert_eq!(behind(prefix).as_deref(), expected, "{prefix}");
        }
    }

    #[test]
    fn a_marker_is_a_folded_prefix_or_a_key() {
        assert_eq!(After::marker("a/", "", Some("/")), After::Prefix("a/".into()));
        assert_eq!(After::marker("a/b", "", Some("/")), After::Key("a/b".into()));
        assert_eq!(After::marker("a/", "", None), After::Key("a/".into()));
        assert_eq!(After::marker("a/", "a/", Some("/")), After::Key("a/".into()));
    }
}
