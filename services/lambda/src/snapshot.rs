//! The functions as invocations see them: in memory, so that nothing on the invoke path reads the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::{FunctionName, FunctionVersion, Qualifier, Scope, Version};
use engine::FunctionKey;
use policy::{Context as Keys, Document, Kind};
use store::{Scan, Snapshot};
use uuid::Uuid;

use crate::aliases::{ALIASES, Chance, Routing};
use crate::permissions::{POLICIES, PolicyDocument, resource_tags};
use crate::record::{FUNCTIONS, FunctionRecord, State};
use crate::versions::VERSIONS;

/// What an invocation finds under a name and a qualifier.
#[derive(Clone, Debug)]
pub enum Invocable {
    /// Run this. It knows which version it is.
    Version(Arc<FunctionVersion>),
    /// Not yet.
    Pending,
    /// Not yet: its first environment is being initialised, for SnapStart.
    Initialising,
    /// Never.
    Failed(Arc<str>),
}

/// One function with its versions and aliases.
#[derive(Debug)]
pub struct Shown {
    latest: Invocable,
    versions: HashMap<u64, Invocable>,
    aliases: HashMap<String, Routing>,
    /// Resource policies, by the qualifier that they belong to.
    policies: HashMap<String, Arc<Document>>,
    /// The function's tags, as conditions ask for them; none if it has none.
    resource_tags: Option<Arc<Keys>>,
}

impl Shown {
    /// Reads a function, if there is one of that name.
    pub fn read(
        snapshot: &Snapshot<'_>,
        scope: &Scope,
        name: &FunctionName,
        refuse: &dyn Fn(&FunctionRecord) -> Result<Option<String>, store::Error>,
    ) -> Result<Option<Self>, store::Error> {
        let Some(latest) = snapshot.get(&FUNCTIONS, (scope, name))? else { return Ok(None) };
        let versions = snapshot.scan(&VERSIONS, &Scan::prefix((scope, name)))?;
        let aliases = snapshot.scan(&ALIASES, &Scan::prefix((scope, name)))?;
        let policies = snapshot.scan(&POLICIES, &Scan::prefix((scope, name)))?;
        Ok(Some(Self {
            latest: Invocable::read(&latest, refuse)?,
            resource_tags: (!latest.tags.is_empty()).then(|| Arc::new(resource_tags(&latest.tags))),
            versions: versions
                .iter()
                .map(|((_, _, number), record)| Ok((*number, Invocable::read(record, refuse)?)))
                .collect::<Result<_, store::Error>>()?,
            aliases: aliases.into_iter().map(|((_, _, alias), record)| (alias, record.routing)).collect(),
            policies: policies
                .into_iter()
                .map(|((_, _, qualifier), policy)| (qualifier, Arc::new(evaluable(&policy))))
                .collect(),
        }))
    }

    /// What a qualifier names. An alias that points to two versions chooses one by `chance`.
    pub fn resolve(&self, qualifier: Option<&Qualifier>, chance: Chance) -> Option<&Invocable> {
        match qualifier {
            None | Some(Qualifier::Latest) => Some(&self.latest),
            Some(Qualifier::Version(number)) => self.versions.get(number),
            Some(Qualifier::Alias(name)) => match self.aliases.get(name)?.choose(chance) {
                Version::Latest => Some(&self.latest),
                Version::Number(number) => self.versions.get(&number),
            },
        }
    }

    /// A published version, if it can be invoked.
    pub fn version(&self, number: u64) -> Option<Arc<FunctionVersion>> {
        match self.versions.get(&number)? {
            Invocable::Version(version) => Some(Arc::clone(version)),
            Invocable::Pending | Invocable::Initialising | Invocable::Failed(_) => None,
        }
    }

    /// The resource policy of a qualifier.
    pub fn policy(&self, qualifier: Option<&Qualifier>) -> Option<&Arc<Document>> {
        if self.policies.is_empty() {
            return None;
        }
        self.policies.get(&qualifier.unwrap_or(&Qualifier::Latest).to_string())
    }

    /// The revisions that can be invoked.
    pub fn revisions(&self) -> impl Iterator<Item = Uuid> {
        self.versions.values().chain([&self.latest]).filter_map(Invocable::revision)
    }
}

impl Invocable {
    /// What a record is, unless there is a reason why it cannot be served.
    fn read(
        record: &FunctionRecord,
        refuse: &dyn Fn(&FunctionRecord) -> Result<Option<String>, store::Error>,
    ) -> Result<Self, store::Error> {
        Ok(match refuse(record)? {
            Some(reason) => Self::Failed(reason.into()),
            None => Self::of(record),
        })
    }

    fn of(record: &FunctionRecord) -> Self {
        match &record.state {
            State::Pending if record.is_snap_start() => Self::Initialising,
            State::Pending => Self::Pending,
            State::Failed { reason, .. } => Self::Failed(reason.as_str().into()),
            State::Active => Self::Version(Arc::new(record.in_effect().function_version())),
        }
    }

    fn revision(&self) -> Option<Uuid> {
        match self {
            Self::Version(version) => Some(version.revision),
            Self::Pending | Self::Initialising | Self::Failed(_) => None,
        }
    }
}

/// What was checked when it was stored. One that cannot be read denies everything, so that nothing is open by mistake.
fn evaluable(policy: &PolicyDocument) -> Document {
    const NOTHING: &str = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;
    let text = policy.text().unwrap_or_default();
    Document::parse(&text, Kind::Resource).unwrap_or_else(|error| {
        tracing::error!(%error, "a resource policy cannot be read and denies everything");
        Document::parse(NOTHING, Kind::Resource).expect("a constant")
    })
}

/// Every function, by scope and name.
#[derive(Default)]
pub struct Functions {
    by_scope: RwLock<HashMap<Scope, HashMap<FunctionName, Shown>>>,
}

impl Functions {
    /// What is under a name and a qualifier.
    pub fn find(
        &self,
        scope: &Scope,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        chance: Chance,
    ) -> Option<Invocable> {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope)?.get(name)?.resolve(qualifier, chance).cloned()
    }

    /// The revision of a published version, if it can be invoked.
    pub fn revision(&self, scope: &Scope, name: &FunctionName, number: u64) -> Option<Uuid> {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope)?.get(name)?.versions.get(&number)?.revision()
    }

    /// The resource policy of a function, a version or an alias.
    pub fn policy(
        &self,
        scope: &Scope,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Option<Arc<Document>> {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope)?.get(name)?.policy(qualifier).cloned()
    }

    /// The tags of a function, its versions and its aliases, as conditions ask for them.
    pub fn resource_tags(&self, scope: &Scope, name: &FunctionName) -> Option<Arc<Keys>> {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope)?.get(name)?.resource_tags.clone()
    }

    /// Whether there is a function of that name.
    pub fn contains(&self, scope: &Scope, name: &FunctionName) -> bool {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope).is_some_and(|names| names.contains_key(name))
    }

    /// Shows a function to the invocations that come from now on.
    pub fn put(&self, scope: &Scope, name: &FunctionName, shown: Shown) {
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        by_scope.entry(scope.clone()).or_default().insert(name.clone(), shown);
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
        let keys = |(scope, names): (Scope, HashMap<FunctionName, Shown>)| {
            names.into_keys().map(move |name| FunctionKey { scope: scope.clone(), name })
        };
        forgotten.into_iter().flat_map(keys).collect()
    }
}
