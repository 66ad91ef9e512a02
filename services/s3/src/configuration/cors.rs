//! PutBucketCors, GetBucketCors, DeleteBucketCors. What the rules do is in [`crate::cors`].

use s3s::S3Response;
use s3s::dto::{
    CORSConfiguration, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput,
    GetBucketCorsOutput, PutBucketCorsInput, PutBucketCorsOutput,
};

use super::{clear, no_content, of_bucket};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, invalid_request, malformed_xml, not_found};

pub(crate) const KIND: &str = "cors";
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>
const RULES_MAX: usize = 100;
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>
const ID_CHARACTERS_MAX: usize = 255;
const METHODS: &[&str] = &["GET", "PUT", "POST", "DELETE", "HEAD"];

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketCorsInput,
) -> Result<S3Response<PutBucketCorsOutput>, Refusal> {
    check(&input.cors_configuration)?;
    super::put(s3, input.bucket, KIND, input.cors_configuration).await?;
    Ok(S3Response::new(PutBucketCorsOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketCorsInput,
) -> Result<S3Response<GetBucketCorsOutput>, Refusal> {
    let configured = of_bucket::<CORSConfiguration>(s3, &input.bucket, KIND)?.ok_or_else(|| {
        not_found("NoSuchCORSConfiguration", "The CORS configuration does not exist", &input.bucket)
    })?;
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(configured.cors_rules) }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketCorsInput,
) -> Result<S3Response<DeleteBucketCorsOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketCorsOutput {}))
}

fn check(configured: &CORSConfiguration) -> Result<(), Refusal> {
    let rules = &configured.cors_rules;
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(malformed_xml());
    }
    for rule in rules {
        if rule.allowed_methods.is_empty()
            || rule.allowed_origins.is_empty()
            || rule.id.as_ref().is_some_and(|id| id.chars().count() > ID_CHARACTERS_MAX)
        {
            return Err(malformed_xml());
        }
        if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(invalid_request(format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )));
        }
        if let Some(origin) = rule.allowed_origins.iter().find(|origin| has_two_wildcards(origin)) {
            return Err(invalid_request(format!(
                "AllowedOrigin \"{origin}\" can not have more than one wildcard."
            )));
        }
        let headers = rule.allowed_headers.as_deref().unwrap_or_default();
        if let Some(header) = headers.iter().find(|header| has_two_wildcards(header)) {
            return Err(invalid_request(format!(
                "AllowedHeader \"{header}\" can not have more than one wildcard."
            )));
        }
        let exposed = rule.expose_headers.as_deref().unwrap_or_default();
        if let Some(header) = exposed.iter().find(|header| header.contains('*')) {
            return Err(invalid_request(format!(
                "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            )));
        }
        // They stand in answers' headers.
        let shown = exposed.iter().chain(&rule.allowed_methods).chain(&rule.allowed_origins);
        if shown.into_iter().any(|text| http::HeaderValue::try_from(text).is_err()) {
            return Err(malformed_xml());
        }
    }
    Ok(())
}

fn has_two_wildcards(text: &str) -> bool {
    text.matches('*').count() > 1
}

#[cfg(test)]
mod tests {
    use s3s::dto::CORSRule;

    use super::*;

    fn rule(methods: &[&str], origins: &[&str]) -> CORSRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        CORSRule {
            allowed_headers: None,
            allowed_methods: owned(methods),
            allowed_origins: owned(origins),
            expose_headers: None,
            id: None,
            max_age_seconds: None,
        }
    }

    #[test]
    fn rules_are_checked_with_s3s_words() {
        let said = |rules: Vec<CORSRule>| match check(&CORSConfiguration { cors_rules: rules }) {
            Ok(()) => String::new(),
            Err(Refusal(error)) => error.message().unwrap_or_default().to_owned(),
        };
        assert_eq!(said(vec![rule(&["GET", "PUT"], &["*", "https://*.example.com"])]), "");
        assert!(said(vec![]).starts_with("The XML you provided"));
        assert!(said(vec![rule(&[], &["*"])]).starts_with("The XML you provided"));
        assert!(said(vec![rule(&["PATCH"], &["*"])]).ends_with("Unsupported method is PATCH"));
        assert!(said(vec![rule(&["GET"], &["*.*"])]).contains("more than one wildcard"));
        let exposing = CORSRule { expose_headers: Some(vec!["x-*".into()]), ..rule(&["GET"], &["*"]) };
        assert!(said(vec![exposing]).contains("contains wildcard"));
    }
}
