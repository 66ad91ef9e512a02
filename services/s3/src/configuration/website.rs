//! PutBucketWebsite, GetBucketWebsite, DeleteBucketWebsite. Kept and shown; Hearth serves no website endpoint.

use s3s::S3Response;
use s3s::dto::{
    DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput,
    Protocol, PutBucketWebsiteInput, PutBucketWebsiteOutput, Redirect, RoutingRule, WebsiteConfiguration,
};

use super::{clear, no_content, of_bucket};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, invalid_argument, invalid_request, malformed_xml, not_found};

pub(crate) const KIND: &str = "website";
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>
const ROUTING_RULES_MAX: usize = 50;

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketWebsiteInput,
) -> Result<S3Response<PutBucketWebsiteOutput>, Refusal> {
    check(&input.website_configuration)?;
    super::put(s3, input.bucket, KIND, input.website_configuration).await?;
    Ok(S3Response::new(PutBucketWebsiteOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketWebsiteInput,
) -> Result<S3Response<GetBucketWebsiteOutput>, Refusal> {
    let configured = of_bucket::<WebsiteConfiguration>(s3, &input.bucket, KIND)?.ok_or_else(|| {
        not_found(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
            &input.bucket,
        )
    })?;
    Ok(S3Response::new(GetBucketWebsiteOutput {
        error_document: configured.error_document,
        index_document: configured.index_document,
        redirect_all_requests_to: configured.redirect_all_requests_to,
        routing_rules: configured.routing_rules,
    }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketWebsiteInput,
) -> Result<S3Response<DeleteBucketWebsiteOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketWebsiteOutput {}))
}

fn check(configured: &WebsiteConfiguration) -> Result<(), Refusal> {
    if let Some(all) = &configured.redirect_all_requests_to {
        if configured.index_document.is_some()
            || configured.error_document.is_some()
            || configured.routing_rules.is_some()
        {
            return Err(invalid_argument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
            )
            .with("ArgumentName", "RedirectAllRequestsTo"));
        }
        if all.host_name.is_empty() {
            return Err(malformed_xml());
        }
        return check_protocol(all.protocol.as_ref());
    }
    let suffix = configured.index_document.as_ref().map(|index| index.suffix.as_str()).ok_or_else(|| {
        invalid_argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
        )
        .with("ArgumentName", "IndexDocument")
        .with("ArgumentValue", "null")
    })?;
    if suffix.is_empty() || suffix.contains('/') {
        return Err(invalid_argument("The IndexDocument Suffix is not well formed")
            .with("ArgumentName", "IndexDocument")
            .with("ArgumentValue", suffix));
    }
    let rules = configured.routing_rules.as_deref().unwrap_or_default();
    if rules.len() > ROUTING_RULES_MAX {
        return Err(invalid_request(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to \
             {ROUTING_RULES_MAX}.",
            rules.len()
        )));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &RoutingRule) -> Result<(), Refusal> {
    if let Some(condition) = &rule.condition {
        let code = condition.http_error_code_returned_equals.as_deref();
        if code.is_none() && condition.key_prefix_equals.is_none() {
            return Err(invalid_request(
                "Condition cannot be empty. To redirect all requests without a condition, the condition element \
                 shouldn't be present.",
            ));
        }
        let is_error =
            |code: &str| code.parse::<u16>().is_ok_and(|code| matches!(code, 400..=417 | 500..=505));
        if code.is_some_and(|code| !is_error(code)) {
            return Err(invalid_request(
                "The provided HTTP error code is not valid. Valid codes are 4XX or 5XX.",
            ));
        }
    }
    let Redirect { host_name, http_redirect_code, protocol, replace_key_prefix_with, replace_key_with } =
        &rule.redirect;
    if replace_key_prefix_with.is_some() && replace_key_with.is_some() {
        return Err(invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both."));
    }
    if [host_name, http_redirect_code, replace_key_prefix_with, replace_key_with]
        .iter()
        .all(|one| one.is_none())
        && protocol.is_none()
    {
        return Err(malformed_xml());
    }
    let is_redirect =
        |code: &str| code.parse::<u16>().is_ok_and(|code| matches!(code, 301..=305 | 307 | 308));
    if http_redirect_code.as_deref().is_some_and(|code| !is_redirect(code)) {
        return Err(invalid_request(
            "The provided HTTP redirect code is not valid. Valid codes are 3XX except 300.",
        ));
    }
    check_protocol(protocol.as_ref())
}

fn check_protocol(protocol: Option<&Protocol>) -> Result<(), Refusal> {
    match protocol.map(Protocol::as_str) {
        None | Some(Protocol::HTTP | Protocol::HTTPS) => Ok(()),
        Some(_) => Err(invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
             automatically.",
        )),
    }
}
