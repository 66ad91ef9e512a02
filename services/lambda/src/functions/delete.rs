//! `DeleteFunction`

use domain::Qualifier;
use wire::{Context, Error};

use super::Target;
use crate::error::{Refusal, invalid_parameter};
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Deletes the function with everything that is its own. Running invocations finish.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionRequest,
) -> Result<shapes::DeleteFunctionResponse, Error> {
    /// A deletion that is complete when it is answered.
    const NO_CONTENT: i32 = 204;
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    if target.qualifier == Some(Qualifier::Latest) {
        return Err(invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
    }
    target.check_qualifier()?;
    let deleted = lambda
        .store
        .write(move |tx| {
            let record = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            tx.delete(&FUNCTIONS, target.key())?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    lambda.show(&deleted.scope, &deleted.name);
    Ok(shapes::DeleteFunctionResponse { status_code: Some(NO_CONTENT) })
}
