//! What happens when a function's events come back to it: Lambda ends such loops unless told otherwise.

use domain::{FunctionName, Scope};
use store::Table;
use wire::{Context, Error};

use crate::error::Refusal;
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Functions whose loops are allowed. The others' are ended.
pub static LOOPS_ALLOWED: Table<(Scope, FunctionName), bool> = Table::new("lambda.loops_allowed");

/// `GetFunctionRecursionConfig`
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionRecursionConfigRequest,
) -> Result<shapes::GetFunctionRecursionConfigResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?;
    let found = lambda.store.read(|snapshot| {
        let record = snapshot.get(&FUNCTIONS, target.key())?;
        let is_allowed = snapshot.get(&LOOPS_ALLOWED, target.key())?.unwrap_or_default();
        Ok::<_, store::Error>((record, is_allowed))
    });
    let (record, is_allowed) = found.map_err(crate::error::service)?;
    target.expect(record)?;
    Ok(shapes::GetFunctionRecursionConfigResponse { recursive_loop: Some(shown(is_allowed)) })
}

/// `PutFunctionRecursionConfig`
pub async fn put(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutFunctionRecursionConfigRequest,
) -> Result<shapes::PutFunctionRecursionConfigResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?;
    let is_allowed = input.recursive_loop == shapes::RecursiveLoop::Allow;
    lambda
        .store
        .write(move |tx| {
            target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            match is_allowed {
                true => tx.put(&LOOPS_ALLOWED, target.key(), &true)?,
                false => drop(tx.delete(&LOOPS_ALLOWED, target.key())?),
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::PutFunctionRecursionConfigResponse { recursive_loop: Some(shown(is_allowed)) })
}

fn shown(is_allowed: bool) -> shapes::RecursiveLoop {
    if is_allowed { shapes::RecursiveLoop::Allow } else { shapes::RecursiveLoop::Terminate }
}

impl Lambda {
    /// Whether a function may be called by what it caused itself, however often. Asked only when a loop was seen.
    pub fn allows_loops(&self, scope: &Scope, name: &FunctionName) -> Result<bool, store::Error> {
        let found = self.store.read(|snapshot| snapshot.get(&LOOPS_ALLOWED, (scope, name)))?;
        Ok(found.unwrap_or_default())
    }
}
