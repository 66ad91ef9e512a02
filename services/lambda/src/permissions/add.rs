//! `AddPermission`

use wire::{Context, Error};

use super::record::{POLICIES, Subject, refuse_latest};
use super::{Principal, Statement};
use crate::error::{Refusal, invalid_parameter};
use crate::functions::Target;
use crate::{Lambda, shapes};

/// Adds a statement to a policy.
pub async fn add(
    lambda: Lambda,
    cx: Context,
    input: shapes::AddPermissionRequest,
) -> Result<shapes::AddPermissionResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    refuse_latest(&target)?;
    let (scope, name) = target.key();
    let statement = lambda
        .store
        .write(move |tx| {
            let subject = Subject::find(tx, &target)?;
            subject.check_revision(input.revision_id.as_deref(), "GetPolicy")?;
            let text = statement(&target, &input)?;
            let policy = tx.get(&POLICIES, target.qualified_key())?.unwrap_or_default();
            tx.put(&POLICIES, target.qualified_key(), &policy.with(&input.statement_id, text.clone())?)?;
            subject.renew(tx)?;
            Ok::<_, Refusal>(text)
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(shapes::AddPermissionResponse { statement: Some(statement) })
}

fn statement(target: &Target, input: &shapes::AddPermissionRequest) -> Result<String, Error> {
    const VIA_URL: &str = "lambda:InvokeFunctionUrl";
    let principal = Principal::parse(&input.principal, target.scope.region.partition()).ok_or_else(|| {
        invalid_parameter("The provided principal was invalid. Please check the principal and try again.")
    })?;
    if input.function_url_auth_type.is_some() && input.action != VIA_URL {
        return Err(invalid_parameter(format!("FunctionUrlAuthType is only supported for {VIA_URL} action")));
    }
    let resource = target.arn();
    let mut statement = Statement::new(&input.statement_id, principal, &input.action, &resource);
    let auth_type = input.function_url_auth_type.map(|auth_type| auth_type.as_str());
    let via_url = input.invoked_via_function_url.map(|is_so| if is_so { "true" } else { "false" });
    let condition = &mut statement.condition;
    condition.string_equals.add("lambda:FunctionUrlAuthType", auth_type);
    condition.string_equals.add("aws:PrincipalOrgID", input.principal_org_id.as_deref());
    condition.string_equals.add("AWS:SourceAccount", input.source_account.as_deref());
    condition.string_equals.add("lambda:EventSourceToken", input.event_source_token.as_deref());
    condition.bool.add("lambda:InvokedViaFunctionUrl", via_url);
    condition.arn_like.add("AWS:SourceArn", input.source_arn.as_deref());
    statement.text()
}
