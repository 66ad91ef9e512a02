//! What a request is about, as its path and its query say.

use http::Uri;
use percent_encoding::percent_decode_str;

/// A bucket, or an object in one, and the query.
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) query: Vec<(String, String)>,
}

impl Target {
    /// Of a request in path style.
    pub(crate) fn of(uri: &Uri) -> Self {
        let path = decoded(uri.path());
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self { bucket: some(bucket), key: some(key), query: pairs(uri.query().unwrap_or_default()) }
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The parameters of a query, or the tags in a header.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_bucket_and_a_key() {
        let check = |uri: &'static str, bucket: Option<&str>, key: Option<&str>| {
            let target = Target::of(&Uri::from_static(uri));
            assert_eq!((target.bucket.as_deref(), target.key.as_deref()), (bucket, key), "{uri}");
        };
        check("/", None, None);
        check("/b", Some("b"), None);
        check("/b/", Some("b"), None);
        check("/b/k/l%20m", Some("b"), Some("k/l m"));
        let target = Target::of(&Uri::from_static("/b?prefix=a%2Fb+c&versions"));
        assert_eq!((target.parameter("prefix"), target.parameter("versions")), (Some("a/b c"), Some("")));
    }
}
