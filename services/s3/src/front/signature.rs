//! How a request was signed, as conditions of policies ask about it. Whether the signature holds is the gateway's business.

use domain::Timestamp;
use http::{HeaderMap, Uri};

/// What a request says of its signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signature {
    in_query: bool,
    in_header: bool,
    in_form: bool,
    is_v2: bool,
    signed: Option<Timestamp>,
    now: Option<Timestamp>,
    /// `x-amz-content-sha256`
    pub(crate) payload: Option<String>,
}

impl Signature {
    /// Of a request as it arrived; `now` is the machine's time, as signatures go by.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, now: Timestamp) -> Self {
        let parameter = |wanted: &str| {
            uri.query().unwrap_or_default().split('&').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let authorization = header("authorization");
        let (v4, v2) = (parameter("X-Amz-Signature").is_some(), parameter("Signature").is_some());
        let date = parameter("X-Amz-Date").or_else(|| header("x-amz-date"));
        Self {
            in_query: v4 || v2,
            in_header: authorization.is_some(),
            in_form: false,
            is_v2: v2 || authorization.is_some_and(|value| value.starts_with("AWS ")),
            signed: date.as_deref().and_then(moment),
            now: Some(now),
            payload: header("x-amz-content-sha256"),
        }
    }

    /// Of a form, as its fields say.
    pub(crate) fn of_form(is_v2: bool, signed: Option<Timestamp>, now: Timestamp) -> Self {
        Self { in_form: true, is_v2, signed, now: Some(now), ..Self::default() }
    }

    /// `s3:authType`
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Self { in_form: true, .. } => Some("POST"),
            Self { in_query: true, .. } => Some("REST-QUERY-STRING"),
            Self { in_header: true, .. } => Some("REST-HEADER"),
            _ => None,
        }
    }

    /// `s3:signatureversion`
    pub(crate) fn version(&self) -> &'static str {
        if self.is_v2 { "AWS" } else { "AWS4-HMAC-SHA256" }
    }

    /// `s3:signatureAge`
    pub(crate) fn age_ms(&self) -> Option<i64> {
        Some((self.now?.epoch_ms() - self.signed?.epoch_ms()).max(0))
    }
}

/// `20261126T100000Z`
fn moment(date: &str) -> Option<Timestamp> {
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    let zoned = parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_stands_in_a_header_or_in_the_query() {
        let now = Timestamp(1_000_010_000);
        let url = "/b/k?X-Amz-Date=19700112T134640Z&X-Amz-Signature=x".parse().unwrap();
        let signature = Signature::of(&url, &HeaderMap::new(), now);
        assert_eq!((signature.kind(), signature.age_ms()), (Some("REST-QUERY-STRING"), Some(10_000)));
        let mut headers = HeaderMap::new();
        assert_eq!(Signature::of(&Uri::from_static("/b"), &headers, now).kind(), None);
        headers.insert("authorization", "AWS4-HMAC-SHA256 x".parse().unwrap());
        let signature = Signature::of(&Uri::from_static("/b"), &headers, now);
        assert_eq!((signature.kind(), signature.version()), (Some("REST-HEADER"), "AWS4-HMAC-SHA256"));
    }
}
