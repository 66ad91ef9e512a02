//! `Code.Location`: links that download a package for ten minutes, to whoever holds them.

use domain::{CodeRef, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How long a link works.  <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>
const VALID_MS: i64 = 10 * 60 * 1000;

/// Makes links and tells good ones from others.
#[derive(Clone)]
pub struct CodeLinks {
    secret: [u8; 32],
}

/// Why a link does not download anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLink {
    /// It was good once.
    Expired,
    /// Hearth did not make it.
    Forged,
}

impl CodeLinks {
    /// The path under which the server answers links.
    pub const PATH: &'static str = "/_hearth/code/";

    /// Links that only this secret can make.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// A link to a package, good from now on.
    pub fn link(&self, base_url: &str, code: &CodeRef, now: Timestamp) -> String {
        let expires_ms = now.epoch_ms() + VALID_MS;
        let signature = self.mac(&code.0, expires_ms).finalize().into_bytes();
        format!("{base_url}{}{}?expires={expires_ms}&signature={}", Self::PATH, code.0, hex(&signature))
    }

    /// The package that a link names.
    pub fn open(&self, path: &str, query: &str, now: Timestamp) -> Result<CodeRef, BadLink> {
        let code = path.strip_prefix(Self::PATH).ok_or(BadLink::Forged)?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let expires_ms: i64 = value("expires").and_then(|text| text.parse().ok()).ok_or(BadLink::Forged)?;
        let signature = value("signature").and_then(unhex).ok_or(BadLink::Forged)?;
        self.mac(code, expires_ms).verify_slice(&signature).map_err(|_| BadLink::Forged)?;
        if now.epoch_ms() > expires_ms {
            return Err(BadLink::Expired);
        }
        Ok(CodeRef(code.to_owned()))
    }

    fn mac(&self, code: &str, expires_ms: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(format!("code-link\0{code}\0{expires_ms}").as_bytes());
        mac
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair.get(1)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn parts(link: &str) -> (String, String) {
        let (path, query) = link.strip_prefix("http://h").unwrap().split_once('?').unwrap();
        (path.to_owned(), query.to_owned())
    }

    #[test]
    fn a_link_opens_for_ten_minutes() {
        let links = CodeLinks::new([7; 32]);
        let code = CodeRef("ab12".into());
        let (path, query) = parts(&links.link("http://h", &code, NOW));
        assert_eq!(links.open(&path, &query, NOW), Ok(code.clone()));
        assert_eq!(links.open(&path, &query, Timestamp(NOW.0 + VALID_MS)), Ok(code));
        assert_eq!(links.open(&path, &query, Timestamp(NOW.0 + VALID_MS + 1)), Err(BadLink::Expired));
    }

    #[test]
    fn a_changed_link_opens_nothing() {
        let links = CodeLinks::new([7; 32]);
        let (path, query) = parts(&links.link("http://h", &CodeRef("ab12".into()), NOW));
        let later = query.replace("expires=", "expires=9");
        let other = path.replace("ab12", "ab13");
        for (path, query) in [
            (path.as_str(), later.as_str()),
            (&other, &query),
            (&path, ""),
            ("/x", &query),
            (&path, "expires=1&signature=zz"),
        ] {
            assert_eq!(links.open(path, query, NOW), Err(BadLink::Forged), "{path} {query}");
        }
    }
}
