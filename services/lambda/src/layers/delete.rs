//! `DeleteLayerVersion`

use wire::{Context, Error};

use super::record::LAYER_VERSIONS;
use super::target::VersionTarget;
use crate::error::Refusal;
use crate::{Lambda, shapes};

/// Deletes a version, or finds it deleted. Functions that use it keep it; its archive goes at a later start, when none
/// does.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteLayerVersionRequest,
) -> Result<wire::Unit, Error> {
    let target = VersionTarget::parse(&cx, &input.layer_name, input.version_number)?;
    target.check_own(&cx, "lambda:DeleteLayerVersion")?;
    lambda
        .store
        .write(move |tx| {
            tx.delete(&LAYER_VERSIONS, target.key())?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(wire::Unit::default())
}
