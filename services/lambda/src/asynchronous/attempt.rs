//! Runs an event that was accepted, and says what comes of it.

use deliveries::{Answer, Event, Parcel, Verdict};
use domain::{FunctionName, FunctionRef, FunctionVersion, Qualifier, Scope, Version};
use engine::{Invocation, InvokeError, Outcome};

use super::Settings;
use super::report::Finished;
use super::verdict::{Attempt, Condition, Decision, Progress, decide, is_too_old};
use crate::aliases::Chance;
use crate::lineage::Step;
use crate::record::{FUNCTIONS, arn};
use crate::snapshot::Invocable;
use crate::versions::VERSIONS;
use crate::{Lambda, measures};

/// The function that an event is for.
struct Addressee {
    scope: Scope,
    name: FunctionName,
    qualifier: Option<Qualifier>,
}

impl Addressee {
    fn parse(target: &str) -> Option<Self> {
        let FunctionRef { name, region, account, qualifier } = target.parse().ok()?;
        Some(Self { scope: Scope { account: account?, region: region? }, name, qualifier })
    }

    /// The ARN as records have it: always with a qualifier.
    fn qualified_arn(&self) -> String {
        let qualifier = self.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
        format!("{}:{qualifier}", arn(&self.scope, &self.name))
    }
}

impl Lambda {
    /// Attempts a delivery to a function.
    pub async fn attempt(&self, parcel: Parcel) -> Answer {
        let Some(addressee) = Addressee::parse(&parcel.target) else {
            return Answer::failed("the target is no function's ARN");
        };
        let event: Event = match parcel.details() {
            Ok(event) => event,
            Err(why) => return Answer::failed(why),
        };
        let Addressee { scope, name, qualifier } = &addressee;
        let version = match self.functions.find(scope, name, qualifier.as_ref(), Chance::of(parcel.id)) {
            Some(Invocable::Version(version)) => version,
            Some(Invocable::Initialising) => return setback("the version is still being initialised"),
            Some(Invocable::Pending) => return setback("the function is still being created"),
            Some(Invocable::Failed(why)) => return setback(why.to_string()),
            None => {
                measures::record(&self.metrics, &parcel.target, "AsyncEventsDropped", 1.0);
                return Answer::failed("there is no such function any more").coded("NO_RESOURCE");
            }
        };
        let settings = match self.event_settings(&addressee) {
            Ok(settings) => settings,
            Err(error) => return setback(error.to_string()),
        };
        let progress = Progress { accepted: parcel.accepted, failures: parcel.attempts, now: self.now() };
        // Of the header as it was sent: another attempt is not another step.
        let step = Step::of(event.trace_header.as_deref(), &version, parcel.id, parcel.accepted);
        let case = Case {
            lambda: self,
            addressee: &addressee,
            settings: &settings,
            parcel: &parcel,
            trace_header: &step.header,
        };
        if is_too_old(&settings, &progress) {
            return case.finish(&version, Condition::EventAgeExceeded, None);
        }
        if self.ends_loop(&step, &version) {
            return case.finish(&version, Condition::RecursiveLoop, None);
        }
        let invocation = Invocation {
            version: version.clone(),
            request_id: parcel.id,
            invoked_arn: parcel.target.clone(),
            payload: parcel.payload.clone(),
            client_context: None,
            cognito_identity: None,
            trace_header: Some(step.header.clone()),
            tenant_id: event.tenant_id.as_deref().map(Into::into),
            synchronous: false,
            tail: false,
        };
        let age_ms = progress.now.0.saturating_sub(parcel.accepted.0);
        measures::record(&self.metrics, &parcel.target, "AsyncEventAge", age_ms as f64);
        let ran = self.engine.invoke(invocation).await;
        case.answer(&version, Progress { now: self.now(), ..progress }, ran)
    }

    /// What is configured for the qualifier that was called.
    fn event_settings(&self, addressee: &Addressee) -> Result<Settings, store::Error> {
        let Addressee { scope, name, qualifier } = addressee;
        let qualifier = qualifier.as_ref().unwrap_or(&Qualifier::Latest);
        Ok(self.event_invoke_config(scope, name, qualifier)?.map(Settings::of).unwrap_or_default())
    }

    /// The queue or topic for a version's events that were given up.
    fn dead_letter_arn(&self, version: &FunctionVersion) -> Result<Option<String>, store::Error> {
        let FunctionVersion { scope, name, .. } = version;
        let record = self.store.read(|snapshot| match version.version {
            Version::Latest => snapshot.get(&FUNCTIONS, (scope, name)),
            Version::Number(number) => snapshot.get(&VERSIONS, (scope, name, number)),
        })?;
        Ok(record.and_then(|record| record.connections.dead_letter_arn))
    }
}

/// One attempt and what it is about.
struct Case<'a> {
    lambda: &'a Lambda,
    addressee: &'a Addressee,
    settings: &'a Settings,
    parcel: &'a Parcel,
    /// As the function gets it.
    trace_header: &'a str,
}

impl Case<'_> {
    fn answer(
        &self,
        version: &FunctionVersion,
        progress: Progress,
        ran: Result<Outcome, InvokeError>,
    ) -> Answer {
        let (attempt, why) = match &ran {
            Ok(Outcome { function_error: None, .. }) => (Attempt::Succeeded, String::new()),
            Ok(Outcome { function_error: Some(error), .. }) => {
                (Attempt::Failed, format!("the function failed: {}", error.error_type))
            }
            Err(InvokeError::Throttled { .. }) if self.is_switched_off() => {
                (Attempt::SwitchedOff, "the function's reserved concurrency is zero".to_owned())
            }
            Err(error @ InvokeError::Throttled { .. }) => (Attempt::Throttled, error.to_string()),
            Err(InvokeError::ShuttingDown) => return Verdict::NotNow.into(),
            Err(error) => (Attempt::Unavailable, error.to_string()),
        };
        match decide(self.settings, &progress, attempt) {
            Decision::Finish(condition) => self.finish(version, condition, ran.ok().as_ref()),
            Decision::RunAgain(after) => Verdict::Retry { after: Some(after), why }.into(),
            Decision::WaitForRoom(left) => Verdict::Busy { within: Some(left), why }.into(),
            Decision::WaitForPlatform(left) => Verdict::Setback { within: Some(left), why }.into(),
        }
    }

    fn finish(&self, version: &FunctionVersion, condition: Condition, outcome: Option<&Outcome>) -> Answer {
        let finished = Finished {
            id: self.parcel.id,
            payload: &self.parcel.payload,
            trace_header: self.trace_header,
            condition,
            invoke_count: self.parcel.attempts + u32::from(outcome.is_some()),
            function_arn: &self.addressee.qualified_arn(),
            version,
            outcome,
            now: self.lambda.now(),
        };
        let dead_letter = match condition {
            Condition::Success => Ok(None),
            _ => self.lambda.dead_letter_arn(version),
        };
        let dead_letter = match dead_letter {
            Ok(dead_letter) => dead_letter,
            Err(error) => return setback(error.to_string()),
        };
        let answer = match condition {
            Condition::Success => Answer::delivered(),
            _ => {
                measures::record(&self.lambda.metrics, &self.parcel.target, "AsyncEventsDropped", 1.0);
                Answer::failed(condition.name()).taken()
            }
        };
        answer.then(finished.deliveries(self.settings, dead_letter.as_deref()))
    }

    /// Looked up only when there was no room.
    fn is_switched_off(&self) -> bool {
        let Addressee { scope, name, .. } = self.addressee;
        crate::concurrency::is_switched_off(self.lambda, scope, name).unwrap_or_default()
    }
}

/// The platform could not try.
fn setback(why: impl Into<String>) -> Answer {
    Verdict::Setback { within: None, why: why.into() }.into()
}
