//! A request to register, checked as far as it can be without knowing who else is there.

use serde::Deserialize;

use super::Refused;

/// The longest name: that of a file.
const NAME_BYTES_MAX: usize = 255;

/// What an extension registers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The file's name, for an extension with a process of its own.
    pub(crate) name: String,
    pub(crate) invoke: bool,
    pub(crate) shutdown: bool,
    /// It wants to know the account.
    pub(crate) account_id: bool,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    events: Vec<String>,
    #[serde(default, rename = "configurationKeys")]
    configuration_keys: Vec<String>,
}

impl Registration {
    /// Reads the headers and the body.
    pub(crate) fn parse(name: Option<&str>, features: Option<&str>, body: &[u8]) -> Result<Self, Refused> {
        let name = name.unwrap_or_default().trim();
        if name.is_empty() {
            return Err(Refused::forbidden("Extension.InvalidExtensionName", "Empty extension name"));
        }
        if name.len() > NAME_BYTES_MAX || name.contains('/') {
            return Err(Refused::forbidden("Extension.InvalidExtensionName", "Invalid extension name"));
        }
        let body: Body =
            serde_json::from_slice(body).map_err(|error| Refused::invalid_request(error.to_string()))?;
        if !body.configuration_keys.is_empty() {
            return Err(Refused::invalid_request(
                "configurationKeys are deprecated; please remove it from request",
            ));
        }
        let mut registration = Self {
            name: name.to_owned(),
            invoke: false,
            shutdown: false,
            account_id: features
                .is_some_and(|features| features.split(',').any(|feature| feature.trim() == "accountId")),
        };
        for event in &body.events {
            match event.as_str() {
                "INVOKE" => registration.invoke = true,
                "SHUTDOWN" => registration.shutdown = true,
                other => {
                    return Err(Refused::forbidden(
                        "Extension.InvalidEventType",
                        format!("{other}: invalid event type"),
                    ));
                }
            }
        }
        Ok(registration)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_registration_names_events() {
        let parsed =
            Registration::parse(Some("x"), Some("other, accountId"), br#"{"events":["INVOKE"]}"#).unwrap();
        assert_eq!(
            parsed,
            Registration { name: "x".into(), invoke: true, shutdown: false, account_id: true }
        );
        assert!(Registration::parse(Some("x"), None, b"{}").is_ok_and(|parsed| !parsed.invoke));
    }

    #[test]
    fn what_is_wrong_has_aws_error_type() {
        let check = |name, body: &str, error_type: &str| {
            assert_eq!(Registration::parse(name, None, body.as_bytes()).unwrap_err().error_type, error_type);
        };
        check(None, "{}", "Extension.InvalidExtensionName");
        check(Some("a/b"), "{}", "Extension.InvalidExtensionName");
        check(Some("x"), "", "InvalidRequestFormat");
        check(Some("x"), r#"{"events":"INVOKE"}"#, "InvalidRequestFormat");
        check(Some("x"), r#"{"events":[],"configurationKeys":["a"]}"#, "InvalidRequestFormat");
        check(Some("x"), r#"{"events":["invoke"]}"#, "Extension.InvalidEventType");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_a_registration_or_a_refusal(
            name in proptest::option::of(".{0,300}"),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Ok(parsed) = Registration::parse(name.as_deref(), None, &body) {
                prop_assert!(!parsed.name.is_empty() && parsed.name.len() <= NAME_BYTES_MAX);
            }
        }
    }
}
