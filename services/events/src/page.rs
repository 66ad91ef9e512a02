//! Lists in pages: `NextToken` and `Limit`.

use wire::{Error, pages};

use crate::error::validation;
use crate::limits::PAGE;

/// The page of a list, sorted by name, that begins after a token.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = (String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let after = token.map(read).transpose()?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE).clamp(1, PAGE);
    Ok(pages::page(items, after.as_deref(), limit))
}

fn read(token: &str) -> Result<String, Error> {
    pages::read_token(token).ok_or_else(|| validation("Parameter NextToken is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let list = || ["a", "b", "c"].map(|name| (name.to_owned(), name));
        let (first, token) = page(list(), None, Some(2)).unwrap();
        assert_eq!(first, ["a", "b"]);
        assert_eq!(page(list(), token.as_deref(), Some(2)).unwrap(), (vec!["c"], None));
        assert!(page(list(), Some("!"), None).is_err());
    }
}
