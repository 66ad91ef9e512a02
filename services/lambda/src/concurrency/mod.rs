//! Concurrency that functions have to themselves: reserved for a function, so that it always has as much and never more;
//! provisioned for a version or an alias, so that environments are initialised before requests come.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

mod claims;
mod kept;
mod provisioned;
mod reserved;
mod scaling;

use domain::{FunctionName, Qualifier, Scope, Timestamp};
use engine::FunctionKey;
use serde::{Deserialize, Serialize};
use store::{Scan, Table, Tx};
use wire::Error;

pub use self::claims::unreserved;
pub use self::kept::kept;
pub use self::provisioned::{
    check_alias, delete as delete_provisioned, get as get_provisioned, list as list_provisioned,
    put as put_provisioned,
};
pub use self::reserved::{delete_reserved, get_reserved, put_reserved, shown};
pub use self::scaling::{get_scaling, put_scaling};
use crate::Lambda;
use crate::error::{invalid_parameter, service};
use crate::functions::Target;

/// Reserved concurrency by function.
static RESERVED: Table<(Scope, FunctionName), Reserved> = Table::new("lambda.reserved_concurrency");

/// Provisioned concurrency by function and qualifier.
static PROVISIONED: Table<(Scope, FunctionName, String), Provisioned> =
    Table::new("lambda.provisioned_concurrency");

/// What is reserved for one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reserved {
    concurrency: u32,
}

/// What is provisioned for one version or alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Provisioned {
    concurrency: u32,
    last_modified: Timestamp,
}

/// After a start: the engine learns what is reserved. What is provisioned it learns with each function.
pub fn restore(lambda: &Lambda) -> Result<(), Error> {
    let reserved = lambda.store.read(|snapshot| snapshot.scan(&RESERVED, &Scan::all())).map_err(service)?;
    for ((scope, name), reserved) in reserved {
        lambda.engine.set_reserved(&FunctionKey { scope, name }, Some(reserved.concurrency));
    }
    Ok(())
}

/// A function or one of its versions or aliases goes, and what is stored of it here goes along.
pub fn forget(tx: &mut Tx<'_>, gone: &Target) -> Result<(), store::Error> {
    match gone.qualifier {
        None => {
            tx.delete(&RESERVED, gone.key())?;
            tx.delete_prefix(&PROVISIONED, (&gone.scope, &gone.name)).map(drop)
        }
        Some(_) => tx.delete(&PROVISIONED, gone.qualified_key()).map(drop),
    }
}

/// Whether a function is switched off: its reserved concurrency is zero.
pub fn is_switched_off(lambda: &Lambda, scope: &Scope, name: &FunctionName) -> Result<bool, store::Error> {
    let found = lambda.store.read(|snapshot| snapshot.get(&RESERVED, (scope, name)))?;
    Ok(found.is_some_and(|reserved| reserved.concurrency == 0))
}

/// Reserved concurrency is of a function and not of its versions.
fn check_unqualified(target: &Target) -> Result<(), Error> {
    match target.qualifier {
        None => Ok(()),
        Some(_) => Err(invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        )),
    }
}

/// Whether a qualifier can have provisioned concurrency at all.
fn is_published(qualifier: Option<&Qualifier>) -> bool {
    matches!(qualifier, Some(Qualifier::Version(_) | Qualifier::Alias(_)))
}
