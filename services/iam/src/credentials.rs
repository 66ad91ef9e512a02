//! Session credentials: minted and verified without being stored.
//!
//! A session token is a version byte, the claims (who, until when, for which key) and a MAC over both, in base64. The
//! secret access key is derived from the token, so that whoever can read the server's secret, and nobody else, can
//! recompute it. Minting writes nothing to the disk: functions get credentials on the path of a cold start.
//!
//! A token outlives what it was made for: deleting a role does not end its sessions before they expire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Account, Credentials, Principal, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::id;

/// The form of everything after it.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
/// A session token is never longer; what is, is not decoded.
const TOKEN_CHARS_MAX: usize = 8 * 1024;

/// Mints and verifies. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    token_key: [u8; 32],
    secret_key: [u8; 32],
}

/// Why a session token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It was good once.
    #[error("the security token included in the request is expired")]
    Expired,
    /// It is not one of ours, was changed, or belongs to another access key.
    #[error("the security token included in the request is invalid")]
    Invalid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "p")]
    principal: Principal,
    #[serde(rename = "k")]
    access_key_id: String,
    #[serde(rename = "e")]
    expires: Timestamp,
    /// Makes two tokens of one moment differ.
    #[serde(rename = "n")]
    nonce: u64,
}

impl Sessions {
    /// Derives its keys from the server's secret, so that no other use of the secret can forge a token.
    pub fn new(server_secret: &[u8]) -> Self {
        Self {
            token_key: mac(server_secret, &[b"hearth session token"]),
            secret_key: mac(server_secret, &[b"hearth session secret access key"]),
        }
    }

    /// Credentials for `principal` until `expires`.
    pub fn mint(&self, principal: Principal, expires: Timestamp) -> Credentials {
        let access_key_id = id::session_key(principal.account());
        let nonce = u64::from_be_bytes(id::random());
        let claims = Claims { principal, access_key_id: access_key_id.clone(), expires, nonce };
        let mut token = vec![VERSION];
        serde_json::to_writer(&mut token, &claims).expect("claims are strings and numbers");
        token.extend_from_slice(&mac(&self.token_key, &[&token]));
        Credentials {
            access_key_id,
            secret_access_key: self.secret_of(&token),
            session_token: STANDARD.encode(&token),
            expiration: expires,
        }
    }

    /// Credentials of a role's session.
    pub fn mint_for_role(
        &self,
        account: &Account,
        role: &str,
        role_id: &str,
        session: &str,
        expires: Timestamp,
    ) -> Credentials {
        let principal = Principal::AssumedRole {
            account: account.clone(),
            role: role.to_owned(),
            role_id: role_id.to_owned(),
            session: session.to_owned(),
            source_function: None,
        };
        self.mint(principal, expires)
    }

    /// The secret access key and the identity behind a token that came with `access_key_id`.
    pub fn verify(
        &self,
        access_key_id: &str,
        session_token: &str,
        now: Timestamp,
    ) -> Result<(String, Principal), SessionError> {
        if session_token.len() > TOKEN_CHARS_MAX {
            return Err(SessionError::Invalid);
        }
        let token = STANDARD.decode(session_token).map_err(|_| SessionError::Invalid)?;
        let (signed, tag) = token.split_last_chunk::<MAC_BYTES>().ok_or(SessionError::Invalid)?;
        keyed(&self.token_key, &[signed]).verify_slice(tag).map_err(|_| SessionError::Invalid)?;
        let claims = match signed {
            [VERSION, claims @ ..] => serde_json::from_slice(claims).map_err(|_| SessionError::Invalid)?,
            _ => return Err(SessionError::Invalid),
        };
        let Claims { principal, access_key_id: key, expires, nonce: _ } = claims;
        if key != access_key_id {
            return Err(SessionError::Invalid);
        }
        if now >= expires {
            return Err(SessionError::Expired);
        }
        Ok((self.secret_of(&token), principal))
    }

    /// Forty characters, as AWS's are.
    fn secret_of(&self, token: &[u8]) -> String {
        STANDARD.encode(&mac(&self.secret_key, &[token])[..30])
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// A secret access key for a user: forty random characters.
pub(crate) fn random_secret() -> String {
    STANDARD.encode(id::random::<30>())
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    keyed(key, parts).finalize().into_bytes().into()
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn minted(sessions: &Sessions) -> Credentials {
        sessions.mint_for_role(&Account::default(), "basic", "AROAEXAMPLE", "my-function", NOW.plus(HOUR))
    }

    #[test]
    fn what_is_minted_verifies_to_the_same_secret_and_role() {
        let sessions = Sessions::new(b"secret");
        let credentials = minted(&sessions);
        let (secret, principal) =
            sessions.verify(&credentials.access_key_id, &credentials.session_token, NOW).unwrap();
        assert_eq!(secret, credentials.secret_access_key);
        assert_eq!(
            principal,
            Principal::AssumedRole {
                account: Account::default(),
                role: "basic".to_owned(),
                role_id: "AROAEXAMPLE".to_owned(),
                session: "my-function".to_owned(),
                source_function: None,
            }
        );
    }

    #[test]
    fn credentials_look_like_awss() {
        let credentials = minted(&Sessions::new(b"secret"));
        assert!(credentials.access_key_id.starts_with("ASIA") && credentials.access_key_id.len() == 20);
        assert_eq!(credentials.secret_access_key.len(), 40);
        assert!(
            (200..1_500).contains(&credentials.session_token.len()),
            "{}",
            credentials.session_token.len()
        );
        assert_eq!(credentials.expiration, NOW.plus(HOUR));
    }

    #[test]
    fn two_sessions_of_one_moment_share_nothing() {
        let sessions = Sessions::new(b"secret");
        let (a, b) = (minted(&sessions), minted(&sessions));
        assert_ne!(a.access_key_id, b.access_key_id);
        assert_ne!(a.secret_access_key, b.secret_access_key);
        assert_ne!(a.session_token, b.session_token);
    }

    #[test]
    fn a_token_expires_at_its_moment_and_not_before() {
        let sessions = Sessions::new(b"secret");
        let credentials = minted(&sessions);
        let verify = |now| sessions.verify(&credentials.access_key_id, &credentials.session_token, now);
        assert!(verify(Timestamp(NOW.plus(HOUR).0 - 1)).is_ok());
        assert_eq!(verify(NOW.plus(HOUR)), Err(SessionError::Expired));
    }

    #[test]
    fn a_token_is_worth_nothing_with_another_key_or_server() {
        let sessions = Sessions::new(b"secret");
        let (one, other) = (minted(&sessions), minted(&sessions));
        assert_eq!(
            sessions.verify(&other.access_key_id, &one.session_token, NOW),
            Err(SessionError::Invalid)
        );
        let elsewhere = Sessions::new(b"another secret");
        assert_eq!(elsewhere.verify(&one.access_key_id, &one.session_token, NOW), Err(SessionError::Invalid));
    }

    proptest! {
        #[test]
        fn no_changed_token_is_accepted(at in any::<prop::sample::Index>(), change in 1u8..=255) {
            let sessions = Sessions::new(b"secret");
            let credentials = minted(&sessions);
            let mut token = STANDARD.decode(&credentials.session_token).unwrap();
            let at = at.index(token.len());
            token[at] ^= change;
            let changed = STANDARD.encode(&token);
            prop_assert_eq!(sessions.verify(&credentials.access_key_id, &changed, NOW), Err(SessionError::Invalid));
        }

        #[test]
        fn no_cut_or_made_up_token_is_accepted(length in 0usize..400, made_up in ".{0,400}") {
            let sessions = Sessions::new(b"secret");
            let credentials = minted(&sessions);
            let key = &credentials.access_key_id;
            let cut = &credentials.session_token[..length.min(credentials.session_token.len() - 1)];
            prop_assert_eq!(sessions.verify(key, cut, NOW), Err(SessionError::Invalid));
            prop_assert_eq!(sessions.verify(key, &made_up, NOW), Err(SessionError::Invalid));
        }
    }
}
