//! Who signed a form: the credential that it names, if its signature of the policy is that credential's.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>

use domain::{Principal, Region, Timestamp};
use wire::gateway::Keys;
use wire::sigv4::{self, Style};

use super::fields::Fields;
use crate::error::{Refusal, custom, invalid_argument};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const SERVICE: &str = "s3";
/// The fields that a signature of version 4 needs, as S3 spells them.
const VERSION_4: [&str; 4] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];
/// And one of version 2, which SDKs still make unless they are told otherwise.
const VERSION_2: [&str; 2] = ["AWSAccessKeyId", "Signature"];
const POLICY: &str = "policy";
const TOKEN: &str = "x-amz-security-token";

/// Whoever signed a policy.
#[derive(Debug)]
pub(super) struct Signer<'f> {
    pub(super) principal: Principal,
    pub(super) access_key_id: &'f str,
    /// In Base64, as it was signed.
    pub(super) policy: &'f str,
    pub(super) is_v2: bool,
    pub(super) signed: Option<Timestamp>,
}

/// Who signed the form; nobody, if it claims no signature. `region` is the bucket's.
pub(super) fn signer<'f>(
    form: &'f Fields,
    keys: &Keys,
    region: &Region,
) -> Result<Option<Signer<'f>>, Refusal> {
    let policy = form.get(POLICY).filter(|policy| !policy.is_empty());
    if let Some(fields) = claim(form, VERSION_4)? {
        let policy = policy.ok_or_else(|| missing(POLICY))?;
        return version_4(form, keys, region, policy, fields).map(Some);
    }
    if let Some([access_key_id, signature]) = claim(form, VERSION_2)? {
        let policy = policy.ok_or_else(|| missing(POLICY))?;
        let principal = keys
            .signer_of_policy_in_version_2(access_key_id, form.get(TOKEN), policy, signature)
            .map_err(|refusal| unproven(&refusal, form, access_key_id, policy, signature))?;
        return Ok(Some(Signer { principal, access_key_id, policy, is_v2: true, signed: None }));
    }
    Ok(None)
}

/// The values of fields that a form has all of, or none.
fn claim<'f, const N: usize>(form: &'f Fields, names: [&str; N]) -> Result<Option<[&'f str; N]>, Refusal> {
    let values = names.map(|name| form.get(&name.to_ascii_lowercase()));
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    match names.iter().zip(values).find(|(_, value)| value.is_none()) {
        Some((name, _)) => Err(missing(name)),
        None => Ok(Some(values.map(Option::unwrap_or_default))),
    }
}

fn version_4<'f>(
    form: &'f Fields,
    keys: &Keys,
    region: &Region,
    policy: &'f str,
    [algorithm, credential, date, signature]: [&'f str; 4],
) -> Result<Signer<'f>, Refusal> {
    if algorithm != ALGORITHM {
        return Err(invalid(
            "X-Amz-Algorithm",
            algorithm,
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
        ));
    }
    let (access_key_id, scope) = scope(credential, region)?;
    let signed = sigv4::parse_date(date)
        .ok_or_else(|| invalid("X-Amz-Date", date, "X-Amz-Date must be formated via ISO8601 Long format"))?;
    let principal = keys
        .signer_of_policy(access_key_id, form.get(TOKEN), scope, policy, signature)
        .map_err(|refusal| unproven(&refusal, form, access_key_id, policy, signature))?;
    Ok(Signer { principal, access_key_id, policy, is_v2: false, signed: Some(signed) })
}

/// The key that a credential names, and its date, region and service.
fn scope<'c>(credential: &'c str, region: &Region) -> Result<(&'c str, [&'c str; 3]), Refusal> {
    let invalid = |what: &str| invalid("X-Amz-Credential", credential, what);
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, named, service, terminator] = parts[..] else {
        return Err(invalid(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ));
    };
    if access_key_id.is_empty() {
        return Err(invalid("a non-empty Access Key (AKID) must be provided in the credential."));
    }
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(&format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\"."
        )));
    }
    if named != region.as_str() {
        let what = format!("the region '{named}' is wrong; expecting '{}'", region.as_str());
        return Err(invalid(&what).with("Region", region.as_str()));
    }
    if service != SERVICE {
        return Err(invalid(&format!(
            "incorrect service \"{service}\". This endpoint belongs to \"{SERVICE}\"."
        )));
    }
    if terminator != TERMINATOR {
        return Err(invalid(&format!(
            "incorrect terminal \"{terminator}\". This endpoint uses \"{TERMINATOR}\"."
        )));
    }
    Ok((access_key_id, [date, named, service]))
}

/// The signature is nobody's, in S3's words.
fn unproven(
    refusal: &sigv4::Refusal,
    form: &Fields,
    access_key_id: &str,
    policy: &str,
    signature: &str,
) -> Refusal {
    let status = http::StatusCode::from_u16(refusal.status(Style::S3)).unwrap_or(http::StatusCode::FORBIDDEN);
    let told = custom(refusal.code(Style::S3), status, refusal.message(Style::S3));
    match (refusal, form.get(TOKEN)) {
        (sigv4::Refusal::UnknownKey, Some(token)) => custom(
            "InvalidToken",
            http::StatusCode::BAD_REQUEST,
            "The provided token is malformed or otherwise invalid.",
        )
        .with("Token-0", token),
        (sigv4::Refusal::UnknownKey, None) => told.with("AWSAccessKeyId", access_key_id),
        (sigv4::Refusal::Mismatch, _) => {
            let bytes: Vec<String> = policy.bytes().map(|byte| format!("{byte:02x}")).collect();
            told.with("AWSAccessKeyId", access_key_id)
                .with("StringToSign", policy)
                .with("SignatureProvided", signature)
                .with("StringToSignBytes", &bytes.join(" "))
        }
        _ => told,
    }
}

/// A field that must be there is not, or comes behind the file.
pub(super) fn missing(name: &str) -> Refusal {
    invalid(
        name,
        "",
        &format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
        ),
    )
}

fn invalid(name: &str, value: &str, what: &str) -> Refusal {
    invalid_argument(what.to_owned()).with("ArgumentName", name).with("ArgumentValue", value)
}
