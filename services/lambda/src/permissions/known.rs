//! What is stored of what a request is about, where conditions may ask for it.

use domain::Scope;
use policy::Context as Keys;
use serde::Deserialize;
use store::Scan;
use wire::{Error, Fields};

use super::conditions::{Known, resource_tags, text};
use super::record::POLICIES;
use super::requirements::Key;
use crate::Lambda;
use crate::code_signing::{self, CODE_SIGNING_CONFIGS};
use crate::error::service;
use crate::event_source_mappings::{MAPPINGS, MappingRecord};
use crate::functions::{Target, vpc_id};
use crate::urls::{Auth, URLS, UrlRecord};

/// Of a function: only what these keys tell.
pub fn of_function(lambda: &Lambda, target: &Target, fields: &Fields, keys: &[Key]) -> Result<Known, Error> {
    let mut known = Known { vpc_id: vpc_id(&target.scope), ..Known::default() };
    if keys.contains(&Key::FunctionArn) {
        known.function_arn = Some(target.arn());
    }
    match text(fields, "StatementId").filter(|_| keys.contains(&Key::Principal)) {
        Some(sid) => {
            let found = lambda.store.read(|snapshot| snapshot.get(&POLICIES, target.qualified_key()));
            let policy = found.map_err(service)?.unwrap_or_default();
            let statement = policy.statement(sid).and_then(|text| serde_json::from_str(text).ok());
            let StatementFacts { principal, condition } = statement.unwrap_or_default();
            known.principal = principal.and_then(Whom::name);
            known.url_auth_type = condition.and_then(|condition| condition.string_equals.auth_type);
        }
        None if keys.contains(&Key::FunctionUrlAuthType) => {
            let urls = urls(lambda, target)?;
            // Who lists them all is told what they have in common.
            let is_list = !keys.contains(&Key::FunctionArn);
            let auth = if is_list { common_auth(&urls) } else { auth_of(&urls, target) };
            known.url_auth_type = auth.map(|auth| auth.name().to_owned());
        }
        None => {}
    }
    Ok(known)
}

/// The mapping of this id, if there is one.
pub fn mapping(lambda: &Lambda, scope: &Scope, id: &str) -> Result<Option<MappingRecord>, Error> {
    let Ok(id) = id.parse::<uuid::Uuid>() else { return Ok(None) };
    lambda.store.read(|snapshot| snapshot.get(&MAPPINGS, (scope, id))).map_err(service)
}

/// The tags of a code signing configuration, if there is one of this ARN.
pub fn tags_of_config(lambda: &Lambda, scope: &Scope, arn: &str) -> Result<Keys, Error> {
    let Some(id) = code_signing::parse_arn(scope, arn) else { return Ok(Keys::new()) };
    let found = lambda.store.read(|snapshot| snapshot.get(&CODE_SIGNING_CONFIGS, (scope, id)));
    Ok(found.map_err(service)?.map(|config| resource_tags(&config.tags)).unwrap_or_default())
}

/// Every URL of a function and its aliases.
fn urls(lambda: &Lambda, target: &Target) -> Result<Vec<UrlRecord>, Error> {
    let prefix = Scan::prefix((&target.scope, &target.name));
    let urls = lambda.store.read(|snapshot| snapshot.scan(&URLS, &prefix)).map_err(service)?;
    Ok(urls.into_iter().map(|(_, url)| url).collect())
}

fn auth_of(urls: &[UrlRecord], target: &Target) -> Option<Auth> {
    let key = target.qualified_key();
    urls.iter().find(|url| url.key() == key).map(|url| url.auth)
}

fn common_auth(urls: &[UrlRecord]) -> Option<Auth> {
    let first = urls.first()?.auth;
    urls.iter().all(|url| url.auth == first).then_some(first)
}

/// What of a statement conditions may ask for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatementFacts {
    principal: Option<Whom>,
    condition: Option<Asks>,
}

/// `Principal`
#[derive(Deserialize)]
#[serde(untagged)]
enum Whom {
    Everyone(String),
    Service {
        #[serde(rename = "Service")]
        service: String,
    },
    Aws {
        #[serde(rename = "AWS")]
        aws: String,
    },
    /// Several at once, as only whole documents have them.
    Others(serde::de::IgnoredAny),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asks {
    string_equals: AuthType,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthType {
    #[serde(rename = "lambda:FunctionUrlAuthType")]
    auth_type: Option<String>,
}

impl Whom {
    /// As `AddPermission` takes it: an account by its number.
    fn name(self) -> Option<String> {
        match self {
            Self::Everyone(name) | Self::Service { service: name } => Some(name),
            Self::Aws { aws } => {
                Some(match aws.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next()) {
                    Some(account) => account.to_owned(),
                    None => aws,
                })
            }
            Self::Others(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_tells_whom_it_lets_in_and_to_which_urls() {
        let check = |statement: &str, principal: Option<&str>, auth_type: Option<&str>| {
            let facts: StatementFacts = serde_json::from_str(statement).unwrap();
            assert_eq!(facts.principal.and_then(Whom::name).as_deref(), principal, "{statement}");
            let found = facts.condition.and_then(|condition| condition.string_equals.auth_type);
            assert_eq!(found.as_deref(), auth_type, "{statement}");
        };
        check(r#"{"Principal":{"Service":"sns.amazonaws.com"}}"#, Some("sns.amazonaws.com"), None);
        check(r#"{"Principal":{"AWS":"arn:aws:iam::111111111111:root"}}"#, Some("111111111111"), None);
        let user = "arn:aws:iam::111111111111:user/sam";
        check(&format!(r#"{{"Principal":{{"AWS":"{user}"}},"Condition":{{}}}}"#), Some(user), None);
        check(
            r#"{"Principal":"*","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#,
            Some("*"),
            Some("NONE"),
        );
        check(r#"{"Principal":{"AWS":["1","2"]}}"#, None, None);
        check(r"{}", None, None);
    }
}
