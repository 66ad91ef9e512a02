//! `PutFunctionConcurrency`, `GetFunctionConcurrency` and `DeleteFunctionConcurrency`

use domain::Qualifier;
use engine::FunctionKey;
use wire::{Context, Error};

use super::claims::Claims;
use super::{RESERVED, Reserved, check_unqualified};
use crate::error::{Refusal, function_not_found, service};
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Sets concurrency aside for a function; none at all switches it off.
pub async fn put_reserved(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutFunctionConcurrencyRequest,
) -> Result<shapes::Concurrency, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?;
    check_unqualified(&target)?;
    let reserved = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
    let account = lambda.concurrency;
    let changed = lambda
        .store
        .write({
            let target = target.clone();
            move |tx| {
                if tx.get(&FUNCTIONS, target.key())?.is_none() {
                    // Only this operation says so which version it looked for.
                    let latest = Some(&Qualifier::Latest);
                    return Err(function_not_found(&target.scope, &target.name, latest).into());
                }
                let claims = Claims::read(tx, &target.scope, &target.name, None)?;
                claims.check_reserved(reserved, account)?;
                tx.put(&RESERVED, target.key(), &Reserved { concurrency: reserved })?;
                Ok::<_, Refusal>(())
            }
        })
        .await;
    changed?;
    show(&lambda, &target)?;
    Ok(shapes::Concurrency { reserved_concurrent_executions: Some(reserved.cast_signed()) })
}

/// What is set aside for a function, if anything is.
pub async fn get_reserved(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionConcurrencyRequest,
) -> Result<shapes::GetFunctionConcurrencyResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?;
    check_unqualified(&target)?;
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key())).map_err(service)?;
    target.expect(found)?;
    let reserved = shown(&lambda, &target)?.and_then(|shown| shown.reserved_concurrent_executions);
    Ok(shapes::GetFunctionConcurrencyResponse { reserved_concurrent_executions: reserved })
}

/// Lets the function share what is unreserved again. Says so even if it did already.
pub async fn delete_reserved(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionConcurrencyRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?;
    check_unqualified(&target)?;
    let deleted = lambda
        .store
        .write({
            let target = target.clone();
            move |tx| {
                target.expect(tx.get(&FUNCTIONS, target.key())?)?;
                tx.delete(&RESERVED, target.key())?;
                Ok::<_, Refusal>(())
            }
        })
        .await;
    deleted?;
    show(&lambda, &target)?;
    Ok(wire::Unit::default())
}

/// What `GetFunction` says of it.
pub fn shown(lambda: &Lambda, target: &Target) -> Result<Option<shapes::Concurrency>, Error> {
    let found = lambda.store.read(|snapshot| snapshot.get(&RESERVED, target.key())).map_err(service)?;
    Ok(found.map(|reserved| shapes::Concurrency {
        reserved_concurrent_executions: Some(reserved.concurrency.cast_signed()),
    }))
}

/// Tells the engine what is stored now: who comes last has read what was committed last.
fn show(lambda: &Lambda, target: &Target) -> Result<(), Error> {
    let _turn = lambda.showing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = lambda.store.read(|snapshot| snapshot.get(&RESERVED, target.key())).map_err(service)?;
    let function = FunctionKey { scope: target.scope.clone(), name: target.name.clone() };
    lambda.engine.set_reserved(&function, found.map(|reserved| reserved.concurrency));
    Ok(())
}
