//! Identifiers: unique ids of identities and policies, and access key ids, which carry their account.

use domain::Account;
use sha2::{Digest, Sha256};

/// RFC 4648's alphabet, in which all of IAM's ids are written.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Random characters of an id after its four-letter prefix.
const UNIQUE_CHARS: usize = 17;
/// Characters of an access key id after its prefix: 80 bits.
const KEY_CHARS: usize = 16;

/// A new id of a role: `AROA…`.
pub(crate) fn role() -> String {
    unique("AROA")
}

/// A new id of a user: `AIDA…`.
pub(crate) fn user() -> String {
    unique("AIDA")
}

/// A new id of a customer managed policy: `ANPA…`.
pub(crate) fn policy() -> String {
    unique("ANPA")
}

/// The id of a policy that AWS manages, always the same for one name. AWS's own ids are not published.
pub(crate) fn managed_policy(name: &str) -> String {
    format!("ANPA{}", letters(&Sha256::digest(name)[..UNIQUE_CHARS]))
}

/// The id of a role that does not exist, always the same for one ARN.
pub(crate) fn absent_role(arn: &str) -> String {
    format!("AROA{}", letters(&Sha256::digest(arn)[..UNIQUE_CHARS]))
}

/// The id under which a service sends to queues, always the same for one principal. AWS's own ids are not published.
pub fn service_id(principal: &str) -> String {
    format!("AIDA{}", letters(&Sha256::digest(principal)[..UNIQUE_CHARS]))
}

/// A new id of a user's long-term key.
pub(crate) fn access_key(account: &Account) -> String {
    key("AKIA", account)
}

/// A new id of a session's key.
pub(crate) fn session_key(account: &Account) -> String {
    key("ASIA", account)
}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel always has randomness after boot");
    bytes
}

/// The account that an access key id was made for, as AWS's own ids tell it, too: 40 bits, the first left out.
pub fn account_of_key(access_key_id: &str) -> Option<Account> {
    let characters = access_key_id.strip_prefix("AKIA").or_else(|| access_key_id.strip_prefix("ASIA"))?;
    if characters.len() != KEY_CHARS {
        return None;
    }
    let bits = characters.bytes().try_fold(0u128, |bits, character| {
        let value = BASE32.iter().position(|letter| *letter == character)?;
        Some(bits << 5 | value as u128)
    })?;
    let number = bits >> 39 & ((1 << 40) - 1);
    Account::parse(&format!("{number:012}"))
}

fn unique(prefix: &str) -> String {
    format!("{prefix}{}", letters(&random::<UNIQUE_CHARS>()))
}

fn key(prefix: &str, account: &Account) -> String {
    let number: u128 = account.as_str().parse().expect("an account id is twelve digits");
    let random = u128::from_be_bytes(random());
    let mask = ((1u128 << 40) - 1) << 39;
    let bits = number << 39 | random & !mask;
    let characters = (0..KEY_CHARS).rev().map(|place| {
        let value = bits >> (5 * place) & 31;
        char::from(BASE32[usize::try_from(value).expect("five bits")])
    });
    prefix.chars().chain(characters).collect()
}

fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_have_their_prefix_and_seventeen_characters() {
        for (id, prefix) in [(role(), "AROA"), (user(), "AIDA"), (policy(), "ANPA")] {
            assert!(id.starts_with(prefix) && id.len() == 21, "{id}");
            assert!(id.bytes().all(|byte| BASE32.contains(&byte)), "{id}");
        }
        assert_ne!(role(), role());
    }

    proptest! {
        #[test]
        fn a_key_id_tells_its_account(number in 0u64..=999_999_999_999) {
            let account = Account::parse(&format!("{number:012}")).unwrap();
            for (id, prefix) in [(access_key(&account), "AKIA"), (session_key(&account), "ASIA")] {
                prop_assert!(id.starts_with(prefix) && id.len() == 20);
                prop_assert_eq!(account_of_key(&id), Some(account.clone()));
            }
        }

        #[test]
        fn any_text_is_a_key_id_or_is_not(text in ".{0,30}", key in "A[KS]IA[A-Z2-7]{16}") {
            account_of_key(&text);
            account_of_key(&key);
        }
    }

    #[test]
    fn text_that_is_no_key_id_has_no_account() {
        for text in
            ["", "test", "AKIA", "AROAAAAAAAAAAAAAAAAA", "AKIA0000000000000000", "AKIA777777777777777"]
        {
            assert_eq!(account_of_key(text), None, "{text}");
        }
    }
}
