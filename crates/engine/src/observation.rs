//! Tells whoever counts what invocations came to. The engine itself counts nothing that outlives them.

use std::sync::Arc;
use std::time::Duration;

use domain::FunctionVersion;
use tokio::sync::oneshot;

use crate::{InvokeError, Outcome};

/// Hears of every invocation that ended or could not begin. Called on the way of the answer: it must return at once.
pub type Observer = Arc<dyn Fn(&Observation<'_>) + Send + Sync>;

/// What an invocation came to.
#[derive(Debug)]
pub struct Observation<'a> {
    /// What was to run.
    pub version: &'a Arc<FunctionVersion>,
    /// The ARN as the caller named the function.
    pub invoked_arn: &'a str,
    /// What was in use when this one began, itself included.
    pub in_use: InUse,
    /// What there is to tell.
    pub what: Observed<'a>,
}

/// What is observed of an invocation.
#[derive(Debug)]
pub enum Observed<'a> {
    /// It ended: the caller has its answer.
    Ended(Result<&'a Outcome, &'a InvokeError>),
    /// Extensions were at work for so long after the runtime had done its part.
    ExtensionsDone(Duration),
}

/// How many invocations run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// In the account and region.
    pub account: u32,
    /// Of them, those that share what nobody has reserved.
    pub unreserved: u32,
    /// What no other function can have: `unreserved`, and whatever is reserved or provisioned, in use or not.
    pub claimed: u32,
    /// Of the function, whichever version.
    pub function: u32,
    /// Of the version.
    pub version: u32,
    /// How many can run at once in the version's provisioned concurrency; nothing until all of it is there.
    pub provisioned: u32,
    /// How many do.
    pub provisioned_in_use: u32,
}

/// Answers the caller of an invocation, and the observer before.
pub(crate) struct Reply {
    pub(crate) caller: oneshot::Sender<Result<Outcome, InvokeError>>,
    pub(crate) witness: Option<Witness>,
}

/// The observer, and what it is told besides what happened.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) observer: Observer,
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) invoked_arn: String,
    pub(crate) in_use: InUse,
}

impl Witness {
    pub(crate) fn tell(&self, what: Observed<'_>) {
        (self.observer)(&Observation {
            version: &self.version,
            invoked_arn: &self.invoked_arn,
            in_use: self.in_use,
            what,
        });
    }
}

impl Reply {
    pub(crate) fn send(self, result: Result<Outcome, InvokeError>) {
        if let Some(witness) = &self.witness {
            witness.tell(Observed::Ended(result.as_ref()));
        }
        // A caller that has gone does not matter: the invocation is over all the same.
        let _ = self.caller.send(result);
    }
}
