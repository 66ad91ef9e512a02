//! Lists in pages. A page ends with an opaque token that names its last item, so that items may come and go between two
//! calls. What the members are called, how many items a page has, and how a bad token is refused is the service's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The token of a page that ends with this item.
pub fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// The item that a page ended with; nothing for a token that is none of ours.
pub fn read_token(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// So many items of a list that is sorted by its keys, from behind a key, and the token of the next page if there is one.
pub fn page<T>(
    sorted: impl IntoIterator<Item = (String, T)>,
    after: Option<&str>,
    count: usize,
) -> (Vec<T>, Option<String>) {
    let mut rest =
        sorted.into_iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after)).peekable();
    let mut items = Vec::new();
    let mut last = String::new();
    for (key, item) in rest.by_ref().take(count) {
        items.push(item);
        last = key;
    }
    let next = rest.peek().is_some().then(|| token(&last));
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_until_the_list_ends() {
        let list = || ["a", "b", "c"].map(|key| (key.to_owned(), key));
        let (first, next) = page(list(), None, 2);
        assert_eq!(first, ["a", "b"]);
        let after = read_token(&next.unwrap());
        assert_eq!(page(list(), after.as_deref(), 2), (vec!["c"], None));
        assert_eq!(read_token("!"), None);
    }
}
