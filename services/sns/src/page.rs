//! Lists in pages: `NextToken`.

use wire::{Error, pages};

use crate::error::invalid;
use crate::limits::PAGE;

/// After which item the page begins.
pub(crate) fn read_token(token: Option<&str>) -> Result<Option<String>, Error> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(None),
        Some(token) => pages::read_token(token).map(Some).ok_or_else(|| invalid("NextToken")),
    }
}

/// A page of a list that may have one item more than a page, and how to go on.
pub(crate) fn cut<T>(mut items: Vec<T>, name: impl FnOnce(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    let next = items.last().filter(|_| more).map(|last| pages::token(&name(last)));
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_the_way_to_the_next() {
        let items: Vec<String> = (0..=PAGE).map(|number| format!("{number:03}")).collect();
        let (page, token) = cut(items, String::clone);
        assert_eq!(page.len(), PAGE);
        assert_eq!(read_token(token.as_deref()).unwrap().as_deref(), Some("099"));
        assert_eq!(cut(page, String::clone).1, None);
        assert!(read_token(Some("!")).is_err());
        assert_eq!(read_token(Some("")).unwrap(), None);
    }
}
