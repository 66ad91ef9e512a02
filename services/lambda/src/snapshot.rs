//! The functions as invocations see them: in memory, so that nothing on the invoke path reads the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::{FunctionName, FunctionVersion, Scope};
use engine::FunctionKey;

use crate::record::{FunctionRecord, State};

/// What an invocation finds under a name.
#[derive(Clone, Debug)]
pub enum Invocable {
    /// Run this.
    Version(Arc<FunctionVersion>),
    /// Not yet.
    Pending,
    /// Never.
    Failed(Arc<str>),
}

/// Every function, by scope and name.
#[derive(Default)]
pub struct Functions {
    by_scope: RwLock<HashMap<Scope, HashMap<FunctionName, Invocable>>>,
}

impl Functions {
    /// What is under a name.
    pub fn find(&self, scope: &Scope, name: &FunctionName) -> Option<Invocable> {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope)?.get(name).cloned()
    }

    /// Shows a record to the invocations that come from now on.
    pub fn put(&self, record: &FunctionRecord) {
        let invocable = match &record.state {
            State::Pending => Invocable::Pending,
            State::Failed { reason } => Invocable::Failed(reason.as_str().into()),
            State::Active => Invocable::Version(Arc::new(record.in_effect().version())),
        };
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        by_scope.entry(record.scope.clone()).or_default().insert(record.name.clone(), invocable);
    }

    /// Forgets a deleted function.
    pub fn remove(&self, scope: &Scope, name: &FunctionName) {
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = by_scope.get_mut(scope) {
            names.remove(name);
        }
    }

    /// Forgets everything, and tells what there was.
    pub fn clear(&self) -> Vec<FunctionKey> {
        let forgotten = std::mem::take(&mut *self.by_scope.write().unwrap_or_else(PoisonError::into_inner));
        let keys = |(scope, names): (Scope, HashMap<FunctionName, Invocable>)| {
            names.into_keys().map(move |name| FunctionKey { scope: scope.clone(), name })
        };
        forgotten.into_iter().flat_map(keys).collect()
    }
}
