//! AWS Lambda's API: validates, reads and writes the store, calls the engine.
//!
//! [`service`] is the index of what is implemented. What the model has and the table has not answers by itself that it
//! is not implemented. Records live in the store; invocations see them through an in-memory [`snapshot`], so that
//! nothing on the invoke path waits for a disk. A change is stored as desired state and then settled
//! ([`functions::settle`]), by the same path after a call and after a restart.

mod account;
mod code_links;
mod error;
mod functions;
mod invoke;
mod invoke_stream;
mod layers;
mod reads;
mod record;
pub mod shapes;
mod snapshot;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::{Clock, FunctionName, Runtime, Scope, Timestamp};
use engine::package::{PackageError, Packages, inspect};
use engine::{Engine, FunctionKey};
use store::{Scan, Store};
use wire::Error;

pub use code_links::{BadLink, CodeLinks};
pub use record::FunctionRecord;

/// The table: one line per operation.
pub fn service(lambda: Lambda) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, lambda)
        .on::<shapes::CreateFunction>(functions::create)
        .on::<shapes::GetFunction>(functions::get)
        .on::<shapes::GetFunctionConfiguration>(functions::get_configuration)
        .on::<shapes::ListFunctions>(functions::list)
        .on::<shapes::UpdateFunctionCode>(functions::update_code)
        .on::<shapes::UpdateFunctionConfiguration>(functions::update_configuration)
        .on::<shapes::DeleteFunction>(functions::delete)
        .on::<shapes::Invoke>(invoke::invoke)
        .on::<shapes::InvokeWithResponseStream>(invoke_stream::invoke_with_response_stream)
        .on::<shapes::TagResource>(tags::tag)
        .on::<shapes::UntagResource>(tags::untag)
        .on::<shapes::ListTags>(tags::list)
        .on::<shapes::PublishLayerVersion>(layers::publish)
        .on::<shapes::GetLayerVersion>(layers::get)
        .on::<shapes::GetLayerVersionByArn>(layers::get_by_arn)
        .on::<shapes::ListLayers>(layers::list)
        .on::<shapes::ListLayerVersions>(layers::list_versions)
        .on::<shapes::DeleteLayerVersion>(layers::delete)
        .on::<shapes::AddLayerVersionPermission>(layers::add_permission)
        .on::<shapes::RemoveLayerVersionPermission>(layers::remove_permission)
        .on::<shapes::GetLayerVersionPolicy>(layers::get_policy)
        .on::<shapes::GetAccountSettings>(account::get_settings)
        .on::<shapes::ListVersionsByFunction>(reads::list_versions)
        .on::<shapes::ListAliases>(reads::list_aliases)
        .on::<shapes::GetFunctionConcurrency>(reads::get_concurrency)
        .on::<shapes::GetFunctionCodeSigningConfig>(reads::get_code_signing_config)
        .on::<shapes::GetPolicy>(reads::get_policy)
        .build()
}

/// Asks about a role by its ARN: an `Err` is AWS's message.
pub type CheckRole = Box<dyn Fn(&Scope, &str) -> Result<(), String> + Send + Sync>;
/// Asks what serves a runtime, such as `python:3.12.7`: an `Err` says what to do.
pub type RuntimeVersion = Box<dyn Fn(Runtime) -> Result<String, String> + Send + Sync>;

/// What the service needs of the rest of Hearth.
pub struct Options {
    /// Where records and packages are kept.
    pub store: Store,
    /// What runs functions.
    pub engine: Engine,
    /// Where packages are unpacked.
    pub packages: Packages,
    /// Whether a role can be a function's.
    pub check_role: CheckRole,
    /// What serves a runtime here.
    pub runtime_version: RuntimeVersion,
    /// Signs links to packages.
    pub code_links: CodeLinks,
    /// Concurrent executions per account and region.
    pub concurrency: u32,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Lambda(Arc<Inner>);

/// What every handler sees of [`Lambda`].
pub struct Inner {
    options: Options,
    functions: snapshot::Functions,
    /// Held while what is stored of a function is shown to invocations.
    showing: Mutex<()>,
}

impl std::ops::Deref for Lambda {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::ops::Deref for Inner {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl Lambda {
    /// Reads what is stored, and takes up whatever a previous run left unfinished.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let lambda = Self(Arc::new(Inner {
            options,
            functions: snapshot::Functions::default(),
            showing: Mutex::default(),
        }));
        let records = lambda.records()?;
        for record in &records {
            lambda.functions.put(record);
        }
        lambda.collect_packages(&records).await?;
        functions::settle_unfinished(&lambda, records);
        Ok(lambda)
    }

    /// Forgets every function, and tells which there were.
    pub fn reset(&self) -> Vec<FunctionKey> {
        self.functions.clear()
    }

    fn records(&self) -> Result<Vec<FunctionRecord>, Error> {
        let stored = self.store.read(|snapshot| snapshot.scan(&record::FUNCTIONS, &Scan::all()));
        Ok(stored.map_err(error::service)?.into_iter().map(|(_, record)| record).collect())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn check_role(&self, scope: &Scope, role: &str) -> Result<(), Error> {
        (self.options.check_role)(scope, role).map_err(error::invalid_parameter)
    }

    fn runtime_version(&self, runtime: Runtime) -> Result<String, Error> {
        (self.options.runtime_version)(runtime).map_err(error::invalid_parameter)
    }

    /// Checks a package and keeps it.
    async fn store_package(&self, zip: Bytes) -> Result<record::Code, Error> {
        let code = inspect_package(zip.clone()).await?;
        self.store.blobs().put(zip).await.map_err(error::service)?;
        Ok(code)
    }

    /// Removes packages that no function and no layer has any more. Only at a start: later on, an environment may still
    /// run from one.
    async fn collect_packages(&self, records: &[FunctionRecord]) -> Result<(), Error> {
        let records: Vec<_> = records.iter().flat_map(|record| [record, record.in_effect()]).collect();
        let mut in_use: HashSet<String> = records.iter().map(|record| record.code.sha256.0.clone()).collect();
        let merged: HashSet<String> =
            records.iter().filter_map(|record| Packages::merged_name(&record.layer_codes()).ok()).collect();
        in_use.extend(records.iter().flat_map(|record| record.layer_codes()).map(|code| code.0));
        in_use.extend(layers::stored_codes(&self.store)?);
        self.packages
            .retain({
                let in_use = in_use.clone();
                move |name| in_use.contains(name) || merged.contains(name)
            })
            .await
            .map_err(error::service)?;
        self.store
            .blobs()
            .retain(Duration::ZERO, move |blob| in_use.contains(blob.as_str()))
            .await
            .map_err(error::service)?;
        Ok(())
    }

    /// Lets invocations see what is stored of a function now, and stops environments of what it was before.
    ///
    /// Two calls about one function may commit in one order and come here in the other. So nobody shows what it wrote
    /// itself: who comes last has read what was committed last.
    fn show(&self, scope: &Scope, name: &FunctionName) {
        let key = FunctionKey { scope: scope.clone(), name: name.clone() };
        let _turn = self.showing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.store.read(|snapshot| snapshot.get(&record::FUNCTIONS, (scope, name))) {
            Ok(Some(record)) => {
                self.functions.put(&record);
                self.engine.retire(&key, [record.in_effect().revision]);
            }
            Ok(None) => {
                self.functions.remove(scope, name);
                self.engine.retire(&key, []);
            }
            Err(error) => tracing::error!(function = %name, %error, "invocations do not see a change"),
        }
    }

    /// Puts a record into effect in the background.
    fn settle_soon(&self, record: FunctionRecord) {
        tokio::spawn(functions::settle(self.clone(), record));
    }
}

/// Checks a package without keeping it.
async fn inspect_package(zip: Bytes) -> Result<record::Code, Error> {
    // Reading through 250 MB of a zip takes a while: not on a thread that others wait for.
    let inspected = tokio::task::spawn_blocking(move || {
        let code = domain::CodeRef(store::BlobId::of(&zip).as_str().to_owned());
        inspect(&zip).map(|info| record::Code {
            sha256: code,
            size: zip.len() as u64,
            unpacked_size: info.unpacked_bytes,
        })
    });
    inspected.await.map_err(error::service)?.map_err(refuse_package)
}

fn refuse_package(error: PackageError) -> Error {
    match error {
        PackageError::ZippedTooLarge => Error::new("RequestEntityTooLargeException", error.to_string()),
        other => error::invalid_parameter(other.to_string()),
    }
}
