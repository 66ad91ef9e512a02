//! The execution role of functions that are deployed without one.

use anyhow::Context as _;

use crate::client::{Client, Refused};

/// Its name.
const NAME: &str = "hearth-deploy";
/// Lambda may use it.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// What a function needs to write its log on AWS.
const POLICY: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

/// The role's ARN; it is made when it is not there. And whether it was made.
pub fn ensure(client: &Client) -> anyhow::Result<(String, bool)> {
    let found = client.iam("GetRole", &[("RoleName", NAME)]);
    if let Some(answer) = Refused::unless(found, "NoSuchEntity")? {
        return Ok((arn(&answer)?, false));
    }
    let trust = ("AssumeRolePolicyDocument", TRUST);
    let made = client.iam("CreateRole", &[("RoleName", NAME), trust])?;
    client.iam("AttachRolePolicy", &[("RoleName", NAME), ("PolicyArn", POLICY)])?;
    Ok((arn(&made)?, true))
}

/// IAM answers in XML, of which this is the one thing wanted.
fn arn(answer: &str) -> anyhow::Result<String> {
    let rest = answer.split_once("<Arn>").map(|(_, rest)| rest);
    let arn = rest.and_then(|rest| rest.split_once("</Arn>")).map(|(arn, _)| arn.to_owned());
    arn.context("the server's answer has no role")
}
