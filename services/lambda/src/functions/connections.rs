//! What a function is connected to: a dead-letter queue, a VPC.

use domain::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wire::Error;

use super::update_configuration::Unsupported;
use crate::error::invalid_parameter;
use crate::event_invoke::{arn_service, can_deliver};
use crate::record::FunctionRecord;
use crate::{Lambda, shapes};

/// Of each version its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// `DeadLetterConfig.TargetArn`: where events go that were given up.
    pub dead_letter_arn: Option<String>,
    /// `VpcConfig`, if the operator has it accepted.
    pub vpc: Option<Vpc>,
}

/// Subnets and security groups: kept and shown, without effect on the function's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    ipv6_allowed: bool,
}

impl Connections {
    /// Replaces what was sent and keeps the rest.
    pub fn changed(mut self, lambda: &Lambda, asked: &Unsupported<'_>) -> Result<Self, Error> {
        if let Some(config) = asked.dead_letter {
            self.dead_letter_arn = dead_letter_arn(lambda, config)?;
        }
        if let Some(config) = asked.vpc {
            self.vpc = vpc(lambda, config)?;
        }
        Ok(self)
    }

    /// As the API shows it.
    pub fn dead_letter_config(&self) -> Option<shapes::DeadLetterConfig> {
        let target_arn = self.dead_letter_arn.clone()?;
        Some(shapes::DeadLetterConfig { target_arn: Some(target_arn) })
    }

    /// As the API shows it.
    pub fn vpc_config(&self, record: &FunctionRecord) -> Option<shapes::VpcConfigResponse> {
        let vpc = self.vpc.as_ref()?;
        Some(shapes::VpcConfigResponse {
            subnet_ids: Some(vpc.subnet_ids.clone()),
            security_group_ids: Some(vpc.security_group_ids.clone()),
            vpc_id: Some(vpc_id(&record.scope)),
            ipv6_allowed_for_dual_stack: Some(vpc.ipv6_allowed),
        })
    }
}

fn dead_letter_arn(lambda: &Lambda, config: &shapes::DeadLetterConfig) -> Result<Option<String>, Error> {
    let Some(arn) = config.target_arn.as_deref().filter(|arn| !arn.is_empty()) else { return Ok(None) };
    let service = arn_service(arn).filter(|service| ["sqs", "sns"].contains(service)).ok_or_else(|| {
        invalid_parameter(format!(
            "The dead letter queue target {arn} is invalid: it must be an SQS queue or an SNS topic."
        ))
    })?;
    can_deliver(&lambda.deliverable, service, arn)?;
    Ok(Some(arn.to_owned()))
}

fn vpc(lambda: &Lambda, config: &shapes::VpcConfig) -> Result<Option<Vpc>, Error> {
    let subnet_ids = config.subnet_ids.clone().unwrap_or_default();
    let security_group_ids = config.security_group_ids.clone().unwrap_or_default();
    match (subnet_ids.is_empty(), security_group_ids.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        _ => {
            return Err(invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list."));
        }
    }
    if !lambda.accepts_vpc {
        return Err(invalid_parameter(
            "Hearth has no VPCs. Leave VpcConfig out, or start the server with --vpc accept: then it is kept and shown, \
             and has no effect on the function's network.",
        ));
    }
    let ipv6_allowed = config.ipv6_allowed_for_dual_stack.unwrap_or_default();
    Ok(Some(Vpc { subnet_ids, security_group_ids, ipv6_allowed }))
}

/// Hearth has no VPCs; each account has the same one in all its answers.
pub fn vpc_id(scope: &Scope) -> String {
    /// Characters after the prefix.
    const LENGTH: usize = 17;
    let digest = Sha256::digest(format!("{}:{}", scope.account, scope.region));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("vpc-{}", &hex[..LENGTH])
}
