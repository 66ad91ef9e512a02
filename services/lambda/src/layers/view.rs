//! A layer version as the API shows it, and the filters of the lists.

use wire::{Context, Error};

use super::record::LayerVersionRecord;
use crate::error::constraint;
use crate::functions::{code_sha256, runtime_ids, timestamp};
use crate::{Lambda, shapes};

/// A version with a link that downloads it.
pub fn version(lambda: &Lambda, cx: &Context, record: LayerVersionRecord) -> shapes::GetLayerVersionResponse {
    let content = shapes::LayerVersionContentOutput {
        location: Some(lambda.code_links.link(&cx.base_url, &record.code.sha256, lambda.now())),
        code_sha256: Some(code_sha256(&record.code)),
        code_size: Some(i64::try_from(record.code.size).unwrap_or(i64::MAX)),
        ..Default::default()
    };
    let layer_arn = record.layer_arn();
    let shown = item(record);
    shapes::GetLayerVersionResponse {
        content: Some(content),
        layer_arn: Some(layer_arn),
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    }
}

/// A version in a list.
pub fn item(record: LayerVersionRecord) -> shapes::LayerVersionsListItem {
    let architectures = |named: &Vec<String>| named.iter().filter_map(|one| one.parse().ok()).collect();
    shapes::LayerVersionsListItem {
        layer_version_arn: Some(record.arn()),
        version: Some(record.version.cast_signed()),
        description: Some(record.description),
        created_date: Some(timestamp(record.created)),
        // What was given as empty is shown so; what was not given is not.
        compatible_architectures: record.architectures.as_ref().map(architectures),
        compatible_runtimes: record.runtimes,
        license_info: record.license,
    }
}

/// Which versions a caller wants listed: those that say they are compatible.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    runtime: Option<String>,
    architecture: Option<String>,
}

impl Filter {
    /// Reads `CompatibleRuntime` and `CompatibleArchitecture`.
    pub fn new(runtime: Option<String>, architecture: Option<shapes::Architecture>) -> Result<Self, Error> {
        if let Some(runtime) = &runtime
            && !is_runtime(runtime)
        {
            return Err(constraint(runtime, "compatibleRuntime", enum_rule()));
        }
        Ok(Self { runtime, architecture: architecture.map(|one| one.as_str().to_owned()) })
    }

    /// Whether a version is wanted.
    pub fn wants(&self, record: &LayerVersionRecord) -> bool {
        let named = |wanted: &Option<String>, known: &Option<Vec<String>>| {
            wanted.as_ref().is_none_or(|wanted| known.as_ref().is_some_and(|known| known.contains(wanted)))
        };
        named(&self.runtime, &record.runtimes) && named(&self.architecture, &record.architectures)
    }
}

/// `CompatibleRuntimes`: any that Lambda has or had.
pub fn check_runtimes(runtimes: &[String]) -> Result<(), Error> {
    if runtimes.iter().all(|runtime| is_runtime(runtime)) {
        return Ok(());
    }
    Err(constraint(format_args!("[{}]", runtimes.join(", ")), "compatibleRuntimes", enum_rule()))
}

fn is_runtime(id: &str) -> bool {
    runtime_ids().any(|known| known == id)
}

fn enum_rule() -> String {
    let known: Vec<&str> = runtime_ids().collect();
    format!("Member must satisfy enum value set: [{}]", known.join(", "))
}
