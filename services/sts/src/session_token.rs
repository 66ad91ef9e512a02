//! Temporary credentials of a user, with what the user may do.

use std::time::Duration;

use domain::Principal;
use wire::{Context, Error};

use crate::error::{access_denied, no_mfa_device, unsupported};
use crate::shapes::{GetSessionTokenRequest, GetSessionTokenResponse};
use crate::{Sts, shown};

/// `DurationSeconds` of a user when none is given.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
const USER_SECONDS_DEFAULT: i32 = 43_200;
/// The longest session of whoever holds the account. AWS shortens longer ones to it.
const ROOT_SECONDS_MAX: i32 = 3_600;

/// `GetSessionToken`
pub(crate) async fn get_session_token(
    sts: Sts,
    cx: Context,
    input: GetSessionTokenRequest,
) -> Result<GetSessionTokenResponse, Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(no_mfa_device());
    }
    if input.minimum_session_token_size.is_some() {
        return Err(unsupported("MinimumSessionTokenSize"));
    }
    let asked = input.duration_seconds.unwrap_or(USER_SECONDS_DEFAULT);
    let seconds = match &cx.principal {
        Principal::User { .. } => asked,
        Principal::Root(_) => asked.min(ROOT_SECONDS_MAX),
        Principal::AssumedRole { .. } => {
            return Err(access_denied("Cannot call GetSessionToken with session credentials"));
        }
    };
    let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let credentials = sts.iam.sessions().mint(cx.principal, sts.now().plus(duration));
    Ok(GetSessionTokenResponse {
        credentials: Some(shown(credentials)),
        ..GetSessionTokenResponse::default()
    })
}

#[cfg(test)]
mod tests {
    use domain::Account;

    use super::*;
    use crate::testing::{NOW, cx_of, sts};

    fn user() -> Principal {
        Principal::User {
            account: Account::default(),
            name: "sam".to_owned(),
            id: "AIDAEXAMPLE".to_owned(),
            path: "/".to_owned(),
        }
    }

    #[track_caller]
    fn check_seconds(response: &GetSessionTokenResponse, seconds: i64) {
        let expiration = response.credentials.as_ref().unwrap().expiration;
        assert_eq!(expiration.0 - NOW.0, seconds * 1_000);
    }

    #[tokio::test]
    async fn a_users_token_is_the_user_for_twelve_hours() {
        let sts = sts();
        let response = get_session_token(sts.clone(), cx_of(user()), GetSessionTokenRequest::default());
        let response = response.await.unwrap();
        check_seconds(&response, 43_200);
        let credentials = response.credentials.unwrap();
        let verified =
            sts.iam.sessions().verify(&credentials.access_key_id, &credentials.session_token, NOW).unwrap();
        assert_eq!(verified, (credentials.secret_access_key, user()));
    }

    #[tokio::test]
    async fn the_accounts_holder_gets_an_hour_at_most() {
        let input = GetSessionTokenRequest { duration_seconds: Some(43_200), ..Default::default() };
        let response = get_session_token(sts(), cx_of(Principal::Root(Account::default())), input);
        check_seconds(&response.await.unwrap(), 3_600);
    }

    #[tokio::test]
    async fn a_session_cannot_make_another() {
        let session = Principal::AssumedRole {
            account: Account::default(),
            role: "r".to_owned(),
            role_id: "AROA".to_owned(),
            session: "s".to_owned(),
            source_function: None,
        };
        let error = get_session_token(sts(), cx_of(session), Default::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "AccessDenied: Cannot call GetSessionToken with session credentials");
    }

    #[tokio::test]
    async fn a_code_of_a_device_that_does_not_exist_fails() {
        let input = GetSessionTokenRequest { token_code: Some("123456".to_owned()), ..Default::default() };
        let error = get_session_token(sts(), cx_of(user()), input).await.unwrap_err();
        assert!(error.to_string().starts_with("AccessDenied: MultiFactorAuthentication failed"), "{error}");
    }
}
