//! Who signed the request.

use domain::Principal;
use iam::arn_of;
use wire::{Context, Error};

use crate::Sts;
use crate::shapes::{GetCallerIdentityRequest, GetCallerIdentityResponse};

/// `GetCallerIdentity`
pub(crate) async fn get_caller_identity(
    _: Sts,
    cx: Context,
    _: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, Error> {
    let user_id = match &cx.principal {
        Principal::Root(account) => account.to_string(),
        Principal::User { id, .. } => id.clone(),
        Principal::AssumedRole { role_id, session, .. } => format!("{role_id}:{session}"),
    };
    Ok(GetCallerIdentityResponse {
        user_id: Some(user_id),
        account: Some(cx.principal.account().to_string()),
        arn: Some(arn_of(&cx.principal)),
    })
}

#[cfg(test)]
mod tests {
    use domain::Account;

    use super::*;
    use crate::testing::{cx_of, sts};

    #[track_caller]
    fn check(found: &GetCallerIdentityResponse, user_id: &str, arn: &str) {
        assert_eq!(found.user_id.as_deref(), Some(user_id));
        assert_eq!(found.account.as_deref(), Some("111111111111"));
        assert_eq!(found.arn.as_deref(), Some(arn));
    }

    async fn identity(principal: Principal) -> GetCallerIdentityResponse {
        get_caller_identity(sts(), cx_of(principal), GetCallerIdentityRequest::default()).await.unwrap()
    }

    #[tokio::test]
    async fn every_kind_of_caller_has_its_id_and_arn() {
        let account = Account::parse("111111111111").unwrap();
        let root = identity(Principal::Root(account.clone())).await;
        check(&root, "111111111111", "arn:aws:iam::111111111111:root");
        let user = Principal::User {
            account: account.clone(),
            name: "sam".to_owned(),
            id: "AIDAEXAMPLE".to_owned(),
            path: "/team/".to_owned(),
        };
        check(&identity(user).await, "AIDAEXAMPLE", "arn:aws:iam::111111111111:user/team/sam");
        let session = Principal::AssumedRole {
            account,
            role: "basic".to_owned(),
            role_id: "AROAEXAMPLE".to_owned(),
            session: "f".to_owned(),
            source_function: None,
        };
        check(&identity(session).await, "AROAEXAMPLE:f", "arn:aws:sts::111111111111:assumed-role/basic/f");
    }
}
