//! Whether a caller's own policies let it do what it asks, in the services that know nothing of IAM. Asked before a
//! handler sees a request, and only where callers prove who they are.
//!
//! Queues and functions have access code of their own (`sqs::Identify`, `lambda::Identify`), because their policies are
//! evaluated on their hot paths. What identity policies do not allow, a resource's own policy may all the same, if it
//! names the caller; whom it denies, the service's own check refuses.

mod resources;

use events::Events;
use iam::Iam;
use policy::{Caller, Context as Keys, Grant};
use sns::Sns;
use wire::schema::Operation;
use wire::{Context, Error, Fields, Value, tags};

/// Whether the policy of a resource, by its ARN, names a caller of its own account and allows it an action.
type ByResource = Box<dyn Fn(&str, &str, &Caller, &Keys) -> bool + Send + Sync>;
/// What an operation is about.
type Resources = fn(&Context, &str, &Fields) -> Vec<String>;

/// One service's question.
pub struct Guard {
    iam: Iam,
    /// What its actions begin with, as its error messages spell them.
    prefix: &'static str,
    resources: Resources,
    by_resource: Option<ByResource>,
    /// What it calls a refusal.
    code: &'static str,
    /// The member with a role that the service acts as, if the operation has one, and what IAM calls the service.
    passes_to: Option<&'static str>,
}

impl Guard {
    /// CloudWatch Logs.
    pub fn logs(iam: &Iam) -> Self {
        Self::new(iam, "logs", resources::of_logs, "AccessDeniedException")
    }

    /// What SQS is asked that is not about a queue that is there.
    pub fn sqs(iam: &Iam) -> Self {
        Self::new(iam, "sqs", resources::of_sqs, "AccessDenied")
    }

    /// SNS.
    pub fn sns(iam: &Iam, sns: &Sns) -> Self {
        let sns = sns.clone();
        Self::new(iam, "SNS", resources::of_sns, "AuthorizationError")
            .or_by_resource(move |arn, action, caller, keys| sns.policy_names(arn, action, caller, keys))
    }

    /// EventBridge.
    pub fn events(iam: &Iam, events: &Events) -> Self {
        let events = events.clone();
        Self::new(iam, "events", resources::of_events, "AccessDeniedException")
            .or_by_resource(move |arn, action, caller, keys| events.policy_names(arn, action, caller, keys))
            .passing_roles_to("events.amazonaws.com")
    }

    /// EventBridge Scheduler.
    pub fn scheduler(iam: &Iam) -> Self {
        Self::new(iam, "scheduler", resources::of_scheduler, "AccessDeniedException")
            .passing_roles_to("scheduler.amazonaws.com")
    }

    fn new(iam: &Iam, prefix: &'static str, resources: Resources, code: &'static str) -> Self {
        let iam = iam.clone();
        Self { iam, prefix, resources, by_resource: None, code, passes_to: None }
    }

    fn or_by_resource(
        self,
        by_resource: impl Fn(&str, &str, &Caller, &Keys) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { by_resource: Some(Box::new(by_resource)), ..self }
    }

    fn passing_roles_to(self, service: &'static str) -> Self {
        Self { passes_to: Some(service), ..self }
    }

    /// As a service takes it.
    pub fn closure(
        self,
    ) -> impl Fn(&Context, &'static Operation, &Fields) -> Result<(), Error> + Send + Sync + 'static {
        move |cx, operation, fields| self.ask(cx, operation, fields)
    }

    /// Asks about one request.
    fn ask(&self, cx: &Context, operation: &'static Operation, fields: &Fields) -> Result<(), Error> {
        if !self.iam.asks(&cx.principal) {
            return Ok(());
        }
        let action = format!("{}:{}", self.prefix, resources::action(self.prefix, operation.name));
        let keys = request_tags(fields);
        for resource in (self.resources)(cx, operation.name, fields) {
            self.check(cx, &action, &resource, &keys)?;
        }
        let Some(service) = self.passes_to else { return Ok(()) };
        for role in roles(fields) {
            self.check(cx, "iam:PassRole", role, &Keys::new().with("iam:PassedToService", service))?;
        }
        Ok(())
    }

    fn check(&self, cx: &Context, action: &str, resource: &str, keys: &Keys) -> Result<(), Error> {
        let asked = self.iam.ask(cx, action, resource, keys)?;
        let is_own = resource.split(':').nth(4) == Some(cx.scope.account.as_str());
        let named = asked.grant == Grant::None && is_own && action != "iam:PassRole";
        let is_let_in = named
            && self.by_resource.as_ref().is_some_and(|may| may(resource, action, &asked.caller, &asked.keys));
        if asked.grant == Grant::ToCaller || is_let_in {
            return Ok(());
        }
        Err(Error::new(self.code, asked.refusal(cx, action, resource)))
    }
}

/// What conditions may ask about the tags of a request.
fn request_tags(fields: &Fields) -> Keys {
    let keys = tags::keys(fields);
    if keys.is_empty() {
        return Keys::new();
    }
    let sent = tags::sent(fields).into_iter();
    sent.fold(Keys::new().with("aws:TagKeys", keys), |keys, (key, value)| {
        keys.with(&format!("aws:RequestTag/{key}"), value)
    })
}

/// The roles that a request hands to the service: its own, and those of its targets.
fn roles(fields: &Fields) -> Vec<&str> {
    let targets = match (fields.get("Target"), fields.get("Targets")) {
        (Some(target), _) => std::slice::from_ref(target),
        (None, Some(Value::List(targets))) => targets,
        (None, _) => &[],
    };
    let of_targets = targets.iter().filter_map(|target| match target {
        Value::Structure(target) => target.get("RoleArn"),
        _ => None,
    });
    let texts = fields.get("RoleArn").into_iter().chain(of_targets).filter_map(|role| match role {
        Value::String(role) => Some(role.as_str()),
        _ => None,
    });
    texts.collect()
}
