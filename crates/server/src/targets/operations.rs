//! Deliveries that are calls: log groups of EventBridge's rules, and the universal targets of Scheduler.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use deliveries::{Answer, Deliveries, Parcel, Sender};
use domain::{Account, Principal, Region, Scope};
use iam::Iam;
use serde_json::{Value, json};
use wire::{Context, Error, Service};

/// Calls that one lane makes at once.
const AT_ONCE: usize = 8;

/// The services that can be called, by the names that Scheduler gives them.
pub struct Operations {
    services: HashMap<&'static str, Service>,
    base_url: Arc<str>,
    iam: Iam,
}

impl Operations {
    /// What can be called: each service asks itself whether a role may.
    pub fn new(
        services: impl IntoIterator<Item = (&'static str, Service)>,
        base_url: Arc<str>,
        iam: &Iam,
    ) -> Self {
        Self { services: services.into_iter().collect(), base_url, iam: iam.clone() }
    }

    /// Says how log groups and operations are delivered to.
    pub fn register(self, deliveries: &Deliveries) {
        let operations = Arc::new(self);
        let logs = Arc::clone(&operations);
        deliveries.on("logs", AT_ONCE, move |parcel| {
            let operations = Arc::clone(&logs);
            async move { operations.write_log(parcel).await }
        });
        deliveries.on("scheduler", AT_ONCE, move |parcel| {
            let operations = Arc::clone(&operations);
            async move { operations.call(parcel).await }
        });
    }

    /// Writes a delivery into a stream of its own day.
    async fn write_log(&self, parcel: Parcel) -> Answer {
        let Some((scope, group)) = log_group(&parcel.target) else {
            return Answer::failed("the target is no log group's ARN");
        };
        let Some(logs) = self.services.get("cloudwatchlogs") else {
            return Answer::failed("there are no logs");
        };
        let day = jiff::Timestamp::from_millisecond(parcel.accepted.epoch_ms()).unwrap_or_default();
        let stream = format!("{}/events", day.strftime("%Y/%m/%d"));
        let cx = self.context(&scope, Principal::Root(scope.account.clone()));
        let names = json!({ "logGroupName": group, "logStreamName": stream });
        match logs.call(cx.clone(), "CreateLogStream", &names).await {
            Ok(()) => {}
            Err(error) if error.code == "ResourceAlreadyExistsException" => {}
            Err(error) => return self.refused(logs, &error),
        }
        let message = String::from_utf8_lossy(&parcel.payload);
        let mut input = names;
        input["logEvents"] = json!([{ "timestamp": parcel.accepted.epoch_ms(), "message": message }]);
        match logs.call(cx, "PutLogEvents", &input).await {
            Ok(()) => Answer::delivered(),
            Err(error) => self.refused(logs, &error),
        }
    }

    /// Calls an operation as the role that the schedule names.
    async fn call(&self, parcel: Parcel) -> Answer {
        let Some((name, operation)) = scheduler::universal(&parcel.target) else {
            return Answer::failed("the target names no operation");
        };
        let Sender::Role { arn: role, source_arn } = &parcel.sender else {
            return Answer::failed("operations are called as a role");
        };
        let Some(service) = self.services.get(name) else {
            return Answer::failed(format!("Hearth has no service {name}"));
        };
        let Some((scope, principal)) = principal(role, self.iam.role_id(role), source_arn) else {
            return Answer::failed(format!("{role} is no role's ARN"));
        };
        let input: Value = match serde_json::from_slice(&parcel.payload) {
            Ok(input) => input,
            Err(error) => return Answer::failed(format!("the input is not JSON: {error}")),
        };
        match service.call(self.context(&scope, principal), operation, &input).await {
            Ok(()) => Answer::delivered(),
            Err(error) => self.refused(service, &error),
        }
    }

    #[expect(clippy::unused_self, reason = "it reads beside the calls it is about")]
    fn refused(&self, service: &Service, error: &Error) -> Answer {
        let status = error.status(service.model());
        // Patience helps against faults and throttles, and against nothing else.
        let may_pass = status >= 500 && error.code != "NotImplemented" || status == 429;
        let answer =
            if may_pass { Answer::retry(error.to_string()) } else { Answer::failed(error.to_string()) };
        answer.coded(error.code.clone())
    }

    fn context(&self, scope: &Scope, principal: Principal) -> Context {
        Context {
            request_id: uuid::Uuid::new_v4(),
            scope: scope.clone(),
            principal,
            access_key_id: None,
            base_url: Arc::clone(&self.base_url),
            headers: http::HeaderMap::new(),
            source_ip: Ipv4Addr::LOCALHOST.into(),
        }
    }
}

fn log_group(arn: &str) -> Option<(Scope, String)> {
    let (scope, resource) = scope_of(arn)?;
    let group = resource.strip_prefix("log-group:")?;
    Some((scope, group.strip_suffix(":*").unwrap_or(group).to_owned()))
}

/// The role's session, where the schedule lives.
fn principal(role: &str, role_id: String, source_arn: &str) -> Option<(Scope, Principal)> {
    let (scope, _) = scope_of(source_arn)?;
    let name = role.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    let account = Account::parse(role.split(':').nth(4)?)?;
    let session = Principal::AssumedRole {
        account,
        role: name,
        role_id,
        session: "scheduler".to_owned(),
        source_function: None,
    };
    Some((scope, session))
}

fn scope_of(arn: &str) -> Option<(Scope, &str)> {
    let mut parts = arn.splitn(6, ':').skip(3);
    let (region, account) = (Region::parse(parts.next()?)?, Account::parse(parts.next()?)?);
    Some((Scope { account, region }, parts.next()?))
}
