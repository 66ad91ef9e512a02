//! Names and ARNs of buses, rules and archives.

use domain::Scope;
use wire::Error;

use crate::error::validation;
use crate::record::DEFAULT_BUS;

pub(crate) fn bus_arn(scope: &Scope, bus: &str) -> String {
    scope.arn("events", format_args!("event-bus/{bus}"))
}

/// A rule of the default bus has no bus in its ARN.
pub(crate) fn rule_arn(scope: &Scope, bus: &str, rule: &str) -> String {
    match bus {
        DEFAULT_BUS => scope.arn("events", format_args!("rule/{rule}")),
        bus => scope.arn("events", format_args!("rule/{bus}/{rule}")),
    }
}

pub(crate) fn archive_arn(scope: &Scope, archive: &str) -> String {
    scope.arn("events", format_args!("archive/{archive}"))
}

pub(crate) fn replay_arn(scope: &Scope, replay: &str) -> String {
    scope.arn("events", format_args!("replay/{replay}"))
}

/// A bus, by its name or its ARN, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BusRef {
    pub(crate) scope: Scope,
    pub(crate) name: String,
}

impl BusRef {
    /// Reads `EventBusName`; none means the default bus.
    pub(crate) fn parse(caller: &Scope, text: Option<&str>) -> Result<Self, Error> {
        let text = text.unwrap_or(DEFAULT_BUS);
        if !text.starts_with("arn:") {
            return Ok(Self { scope: caller.clone(), name: text.to_owned() });
        }
        let (scope, resource) =
            split(text).ok_or_else(|| validation("Parameter EventBusName is not valid."))?;
        let name = resource.strip_prefix("event-bus/").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| validation("Parameter EventBusName is not valid."))?;
        Ok(Self { scope, name: name.to_owned() })
    }

    pub(crate) fn arn(&self) -> String {
        bus_arn(&self.scope, &self.name)
    }
}

/// The scope and the resource of an ARN of EventBridge.
pub(crate) fn split(arn: &str) -> Option<(Scope, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != "arn" || !partition.starts_with("aws") || service != "events" {
        return None;
    }
    let region = domain::Region::parse(parts.next()?)?;
    let account = domain::Account::parse(parts.next()?)?;
    Some((Scope { account, region }, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_goes_by_name_or_arn() {
        let scope = Scope::default();
        assert_eq!(BusRef::parse(&scope, None).unwrap().name, "default");
        assert_eq!(BusRef::parse(&scope, Some("orders")).unwrap().name, "orders");
        let far =
            BusRef::parse(&scope, Some("arn:aws:events:eu-west-1:111122223333:event-bus/orders")).unwrap();
        assert_eq!((far.scope.account.as_str(), far.name.as_str()), ("111122223333", "orders"));
        assert!(BusRef::parse(&scope, Some("arn:aws:sqs:eu-west-1:111122223333:q")).is_err());
    }

    #[test]
    fn rules_of_the_default_bus_do_not_name_it() {
        let scope = Scope::default();
        assert_eq!(rule_arn(&scope, "default", "r"), "arn:aws:events:us-east-1:000000000000:rule/r");
        assert_eq!(rule_arn(&scope, "b", "r"), "arn:aws:events:us-east-1:000000000000:rule/b/r");
    }
}
