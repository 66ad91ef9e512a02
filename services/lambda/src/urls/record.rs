//! What is stored of a function's URL, and the view of it that requests have.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::{FunctionName, Qualifier, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Scan, Snapshot, Store, Table};
use uuid::Uuid;

use super::cors::Cors;
use crate::functions::Target;

/// URLs by their function and alias or `$LATEST`.
pub static URLS: Table<(Scope, FunctionName, String), UrlRecord> = Table::new("lambda.urls");

/// The URL of a function's `$LATEST`, or of one of its aliases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlRecord {
    /// Where the function lives.
    pub scope: Scope,
    /// The function's name.
    pub function: FunctionName,
    /// The alias; none means `$LATEST`.
    pub alias: Option<String>,
    /// What the URL's host begins with.
    pub id: String,
    /// `AuthType`
    pub auth: Auth,
    /// `Cors`, if any was given.
    pub cors: Option<Cors>,
    /// `InvokeMode`
    pub mode: Mode,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// `AuthType`: who must sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Nobody.
    None,
    /// Everybody.
    AwsIam,
}

/// `InvokeMode`: when the answer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Once the function has finished it.
    #[default]
    Buffered,
    /// As soon as the function has begun it.
    ResponseStream,
}

impl Auth {
    /// As the API and conditions spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AwsIam => "AWS_IAM",
        }
    }
}

impl UrlRecord {
    /// The key in [`URLS`].
    pub fn key(&self) -> (Scope, FunctionName, String) {
        self.target().qualified_key()
    }

    /// What the URL runs.
    pub fn target(&self) -> Target {
        Target {
            scope: self.scope.clone(),
            name: self.function.clone(),
            qualifier: self.alias.clone().map(Qualifier::Alias),
        }
    }
}

/// 32 letters and digits in lower case, as AWS's look.
pub fn new_id() -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}

/// Whether a text could be an id.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The URLs as requests find them: in memory, by id.
#[derive(Default)]
pub struct Urls {
    by_id: RwLock<HashMap<String, Arc<UrlRecord>>>,
}

impl Urls {
    /// Reads what is stored.
    pub fn read(store: &Store) -> Result<Self, store::Error> {
        let stored = store.read(|snapshot| snapshot.scan(&URLS, &Scan::all()))?;
        let by_id = stored.into_iter().map(|(_, url)| (url.id.clone(), Arc::new(url))).collect();
        Ok(Self { by_id: RwLock::new(by_id) })
    }

    /// The URL with this id.
    pub fn find(&self, id: &str) -> Option<Arc<UrlRecord>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Lets requests see what is stored of a function's URLs now.
    pub fn show(
        &self,
        snapshot: &Snapshot<'_>,
        scope: &Scope,
        function: &FunctionName,
    ) -> Result<(), store::Error> {
        let stored = snapshot.scan(&URLS, &Scan::prefix((scope, function)))?;
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.retain(|_, url| (&url.scope, &url.function) != (scope, function));
        by_id.extend(stored.into_iter().map(|(_, url)| (url.id.clone(), Arc::new(url))));
        Ok(())
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_awss_and_are_not_given_twice() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| is_id(id)));
        assert!(!is_id("lambda") && !is_id(&"A".repeat(32)) && !is_id(""));
    }
}
