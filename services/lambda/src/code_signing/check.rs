//! Whether a function may be given a package.

use std::collections::BTreeMap;

use domain::{FunctionName, Scope};
use store::Snapshot;
use wire::Error;

use super::record::{ATTACHED, CODE_SIGNING_CONFIGS, CodeSigningConfigRecord};
use super::signature::{PublicKey, Signature};
use crate::layers::LayerReference;
use crate::{Lambda, measures};

/// The keys of the signing profiles that the operator knows, by the ARNs of their versions.
pub type SigningProfiles = BTreeMap<String, PublicKey>;

/// What was found out about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Signed by a publisher that the configuration allows.
    Trusted {
        /// The ARN of the version of the signing profile.
        profile_version_arn: String,
    },
    /// Signed, and changed since.
    Broken,
    /// Not signed by whom it should be.
    Untrusted(&'static str),
}

/// The configuration of a function, if it has one.
pub fn of_function(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    name: &FunctionName,
) -> Result<Option<CodeSigningConfigRecord>, store::Error> {
    match snapshot.get(&ATTACHED, (scope, name))? {
        Some(id) => snapshot.get(&CODE_SIGNING_CONFIGS, (scope, &id)),
        None => Ok(None),
    }
}

/// Measures a function's layers, too: their code runs beside its own.
pub async fn check_layers(
    lambda: &Lambda,
    config: Option<&CodeSigningConfigRecord>,
    function: &FunctionName,
    layers: &[LayerReference],
) -> Result<(), Error> {
    if config.is_none() {
        return Ok(());
    }
    for layer in layers {
        let id = layer.code.sha256.0.parse().map_err(crate::error::service)?;
        let path = lambda.store.blobs().path(&id);
        let zip = tokio::fs::read(path).await.map_err(crate::error::service)?;
        check(lambda, config, function, &zip)?;
    }
    Ok(())
}

/// Measures a package by a function's configuration. Gives the signing profile's version if the package is trusted.
pub fn check(
    lambda: &Lambda,
    config: Option<&CodeSigningConfigRecord>,
    function: &FunctionName,
    zip: &[u8],
) -> Result<Option<String>, Error> {
    let Some(config) = config else { return Ok(None) };
    match verdict(&config.signing_profile_version_arns, &lambda.signing_profiles, zip, lambda.now()) {
        Verdict::Trusted { profile_version_arn } => Ok(Some(profile_version_arn)),
        Verdict::Broken => Err(Error::new(
            "InvalidCodeSignatureException",
            "The code signature failed the integrity check. If the integrity check fails, then Lambda blocks \
             deployment, even if the code signing policy is set to WARN.",
        )),
        Verdict::Untrusted(why) if config.enforces => Err(Error::new(
            "CodeVerificationFailedException",
            format!(
                "Lambda cannot deploy the function. The function or layer might be signed using a signature that the \
                 client is not configured to accept. Check the provided signature for {why}."
            ),
        )),
        Verdict::Untrusted(why) => {
            let arn = config.scope.arn("lambda", format_args!("function:{function}"));
            measures::record(&lambda.metrics, &arn, "SignatureValidationErrors", 1.0);
            tracing::warn!(%function, config = config.arn(), why, "package is not trusted, and only warned about");
            Ok(None)
        }
    }
}

fn verdict(allowed: &[String], known: &SigningProfiles, zip: &[u8], now: domain::Timestamp) -> Verdict {
    let Some(signature) = Signature::read(zip) else { return Verdict::Untrusted("unsigned") };
    // Without the key nothing can be said about integrity, so nobody is trusted.
    let Some(key) = known.get(&signature.profile_version_arn) else {
        return Verdict::Untrusted("a signing profile that this server has no key of (--signing-profile)");
    };
    if !signature.verifies(zip, key) {
        return Verdict::Broken;
    }
    if !allowed.contains(&signature.profile_version_arn) {
        return Verdict::Untrusted("a signing profile that the code signing configuration does not allow");
    }
    if signature.is_expired(now) {
        return Verdict::Untrusted("expiry");
    }
    Verdict::Trusted { profile_version_arn: signature.profile_version_arn }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::code_signing::signature::{PrivateKey, sign};

    const NOW: Timestamp = Timestamp(10_000);
    /// The shortest archive: an empty one.
    const EMPTY: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn a_package_is_trusted_if_its_signer_is() {
        let (key, _) = PrivateKey::generate().unwrap();
        let known = SigningProfiles::from([("p".to_owned(), key.public())]);
        let by = |profile: &str, expires: i64| {
            sign(EMPTY, &key, profile, Timestamp(0), Some(Timestamp(expires))).unwrap()
        };
        let judge = |allowed: &str, zip: &[u8]| verdict(&[allowed.to_owned()], &known, zip, NOW);
        let trusted = Verdict::Trusted { profile_version_arn: "p".to_owned() };
        assert_eq!(judge("p", &by("p", 20_000)), trusted);
        assert_eq!(judge("p", EMPTY), Verdict::Untrusted("unsigned"));
        assert_eq!(judge("p", &by("p", 10_000)), Verdict::Untrusted("expiry"));
        assert!(
            matches!(judge("q", &by("p", 20_000)), Verdict::Untrusted(why) if why.contains("does not allow"))
        );
        assert!(matches!(judge("q", &by("q", 20_000)), Verdict::Untrusted(why) if why.contains("no key")));
        let mut broken = by("p", 20_000);
        broken[8] = 1;
        assert_eq!(judge("p", &broken), Verdict::Broken);
    }
}
