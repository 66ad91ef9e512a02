//! AWS Lambda's API: validates, reads and writes the store, calls the engine.
//!
//! [`service`] is the index of what is implemented. What the model has and the table has not answers by itself that it
//! is not implemented. Records live in the store; invocations see them through an in-memory [`snapshot`], so that
//! nothing on the invoke path waits for a disk. A change is stored as desired state and then settled
//! ([`functions::settle`]), by the same path after a call and after a restart.

mod account;
mod aliases;
mod asynchronous;
mod code_links;
mod code_object;
mod code_signing;
mod concurrency;
mod error;
mod event_invoke;
mod event_source_mappings;
mod execution_role;
mod functions;
mod hot_reload;
mod invoke;
mod invoke_stream;
mod layers;
mod lineage;
pub mod measures;
mod pages;
mod permissions;
mod rate_limits;
mod record;
mod recursion;
mod runtime_management;
pub mod shapes;
mod snapshot;
mod tags;
#[cfg(test)]
mod tests;
pub mod urls;
mod variables;
mod versions;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deliveries::Deliveries;
use domain::{Clock, FunctionName, Runtime, Scope, Timestamp, Version};
use engine::package::{PackageError, Packages, inspect};
use engine::{Engine, FunctionKey, Kept};
use metrics::Metrics;
use store::{Scan, Snapshot, Store};
use wire::Error;

use runtime_management::RuntimeManagement;
use snapshot::Shown;

pub use code_links::{BadLink, CodeLinks};
pub use code_object::{CodeObject, CodeObjectError, ReadObject};
pub use code_signing::{SigningProfiles, signature};
pub use event_invoke::{Deliverable, EventInvokeConfig};
pub use event_source_mappings::{
    EventSource, EventSourceError, FailureDestination, MappedError, MappingRecord, MappingState, QueueFacts,
    Settings, SourceKind, StartingPosition,
};
pub use execution_role::RoleMay;
pub use hot_reload::HotReload;
pub use permissions::{Identify, Identity};
pub use rate_limits::RateLimits;
pub use record::FunctionRecord;

/// The table: one line per operation.
pub fn service(lambda: Lambda) -> wire::Service {
    let (guarded, admitting) = (lambda.clone(), lambda.clone());
    wire::Service::new(&shapes::SERVICE, lambda)
        .on::<shapes::CreateFunction>(functions::create)
        .on::<shapes::GetFunction>(functions::get)
        .on::<shapes::GetFunctionConfiguration>(functions::get_configuration)
        .on::<shapes::ListFunctions>(functions::list)
        .on::<shapes::UpdateFunctionCode>(functions::update_code)
        .on::<shapes::UpdateFunctionConfiguration>(functions::update_configuration)
        .on::<shapes::DeleteFunction>(functions::delete)
        .on::<shapes::PublishVersion>(versions::publish)
        .on::<shapes::ListVersionsByFunction>(versions::list)
        .on::<shapes::CreateAlias>(aliases::create)
        .on::<shapes::GetAlias>(aliases::get)
        .on::<shapes::ListAliases>(aliases::list)
        .on::<shapes::UpdateAlias>(aliases::update)
        .on::<shapes::DeleteAlias>(aliases::delete)
        .on::<shapes::AddPermission>(permissions::add)
        .on::<shapes::RemovePermission>(permissions::remove)
        .on::<shapes::GetPolicy>(permissions::get)
        .on::<shapes::PutResourcePolicy>(permissions::put_resource_policy)
        .on::<shapes::GetResourcePolicy>(permissions::get_resource_policy)
        .on::<shapes::DeleteResourcePolicy>(permissions::delete_resource_policy)
        .on::<shapes::Invoke>(invoke::invoke)
        .on::<shapes::InvokeAsync>(asynchronous::invoke_async)
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
        .on::<shapes::PutFunctionConcurrency>(concurrency::put_reserved)
        .on::<shapes::GetFunctionConcurrency>(concurrency::get_reserved)
        .on::<shapes::DeleteFunctionConcurrency>(concurrency::delete_reserved)
        .on::<shapes::PutProvisionedConcurrencyConfig>(concurrency::put_provisioned)
        .on::<shapes::GetProvisionedConcurrencyConfig>(concurrency::get_provisioned)
        .on::<shapes::ListProvisionedConcurrencyConfigs>(concurrency::list_provisioned)
        .on::<shapes::DeleteProvisionedConcurrencyConfig>(concurrency::delete_provisioned)
        .on::<shapes::PutFunctionScalingConfig>(concurrency::put_scaling)
        .on::<shapes::GetFunctionScalingConfig>(concurrency::get_scaling)
        .on::<shapes::CreateFunctionUrlConfig>(urls::create)
        .on::<shapes::GetFunctionUrlConfig>(urls::get)
        .on::<shapes::ListFunctionUrlConfigs>(urls::list)
        .on::<shapes::UpdateFunctionUrlConfig>(urls::update)
        .on::<shapes::DeleteFunctionUrlConfig>(urls::delete)
        .on::<shapes::CreateCodeSigningConfig>(code_signing::create)
        .on::<shapes::GetCodeSigningConfig>(code_signing::get)
        .on::<shapes::UpdateCodeSigningConfig>(code_signing::update)
        .on::<shapes::DeleteCodeSigningConfig>(code_signing::delete)
        .on::<shapes::ListCodeSigningConfigs>(code_signing::list)
        .on::<shapes::ListFunctionsByCodeSigningConfig>(code_signing::list_functions)
        .on::<shapes::PutFunctionCodeSigningConfig>(code_signing::put_function_config)
        .on::<shapes::GetFunctionCodeSigningConfig>(code_signing::get_function_config)
        .on::<shapes::DeleteFunctionCodeSigningConfig>(code_signing::delete_function_config)
        .on::<shapes::PutFunctionEventInvokeConfig>(event_invoke::put)
        .on::<shapes::UpdateFunctionEventInvokeConfig>(event_invoke::update)
        .on::<shapes::GetFunctionEventInvokeConfig>(event_invoke::get)
        .on::<shapes::ListFunctionEventInvokeConfigs>(event_invoke::list)
        .on::<shapes::DeleteFunctionEventInvokeConfig>(event_invoke::delete)
        .on::<shapes::GetFunctionRecursionConfig>(recursion::get)
        .on::<shapes::PutFunctionRecursionConfig>(recursion::put)
        .on::<shapes::GetRuntimeManagementConfig>(runtime_management::get)
        .on::<shapes::PutRuntimeManagementConfig>(runtime_management::put)
        .on::<shapes::CreateEventSourceMapping>(event_source_mappings::create)
        .on::<shapes::GetEventSourceMapping>(event_source_mappings::get)
        .on::<shapes::ListEventSourceMappings>(event_source_mappings::list)
        .on::<shapes::UpdateEventSourceMapping>(event_source_mappings::update)
        .on::<shapes::DeleteEventSourceMapping>(event_source_mappings::delete)
        .build()
        .admitting(move |cx, operation| admitting.admit(cx, operation))
        .guarded(move |cx, operation, fields| permissions::guard(&guarded, cx, operation, fields))
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
    /// Counts what happens.
    pub metrics: Metrics,
    /// Keeps events until they have run.
    pub deliveries: Deliveries,
    /// Where packages are unpacked.
    pub packages: Packages,
    /// Whether a role can be a function's.
    pub check_role: CheckRole,
    /// What a function's role may do.
    pub role_may: RoleMay,
    /// Reads code that lies in S3.
    pub read_object: ReadObject,
    /// Who a caller is to policies.
    pub identify: Identify,
    /// Whether callers' own policies are evaluated: if not, a caller may do everything in its own account.
    pub evaluates_identity: bool,
    /// What serves a runtime here.
    pub runtime_version: RuntimeVersion,
    /// Which services results can be delivered to.
    pub deliverable: Deliverable,
    /// What can be polled.
    pub event_source: EventSource,
    /// Keys of signing profiles.
    pub signing_profiles: SigningProfiles,
    /// Whether `VpcConfig` is kept and shown although it has no effect.
    pub accepts_vpc: bool,
    /// Signs links to packages.
    pub code_links: CodeLinks,
    /// Which folders may be code.
    pub hot_reload: HotReload,
    /// Concurrent executions per account and region.
    pub concurrency: u32,
    /// How many requests an account may make in a second.
    pub rate_limits: RateLimits,
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
    urls: urls::Urls,
    rates: rate_limits::Rates,
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
        let urls = urls::Urls::read(&options.store).map_err(error::service)?;
        variables::unlock(options.store.server_secret());
        let lambda = Self(Arc::new(Inner {
            options,
            urls,
            functions: snapshot::Functions::default(),
            rates: rate_limits::Rates::default(),
            showing: Mutex::default(),
        }));
        let records = lambda.records()?;
        concurrency::restore(&lambda)?;
        lambda.show_all(&records)?;
        lambda.collect_packages(&records).await?;
        functions::settle_unfinished(&lambda, records);
        event_source_mappings::settle_unfinished(&lambda).map_err(error::service)?;
        Ok(lambda)
    }

    /// Forgets every function, and tells which there were.
    pub fn reset(&self) -> Vec<FunctionKey> {
        self.urls.clear();
        self.functions.clear()
    }

    /// Every function and every published version.
    fn records(&self) -> Result<Vec<FunctionRecord>, Error> {
        let stored = self.store.read(|snapshot| {
            let functions =
                snapshot.scan(&record::FUNCTIONS, &Scan::all())?.into_iter().map(|(_, record)| record);
            let versions =
                snapshot.scan(&versions::VERSIONS, &Scan::all())?.into_iter().map(|(_, record)| record);
            Ok::<_, store::Error>(functions.chain(versions).collect())
        });
        stored.map_err(error::service)
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
        let read = self.store.read(|snapshot| {
            self.urls.show(snapshot, scope, name)?;
            self.shown(snapshot, scope, name)
        });
        match read {
            Ok(Some((shown, kept))) => {
                let ahead = kept.iter().map(|kept| kept.version.revision);
                self.engine.retire(&key, shown.revisions().chain(ahead));
                self.functions.put(scope, name, shown);
                self.engine.keep(&key, &kept);
            }
            Ok(None) => {
                self.functions.remove(scope, name);
                self.engine.forget(&key);
            }
            Err(error) => tracing::error!(function = %name, %error, "invocations do not see a change"),
        }
    }

    /// At a start: all that is stored.
    fn show_all(&self, records: &[FunctionRecord]) -> Result<(), Error> {
        for record in records.iter().filter(|record| record.version == Version::Latest) {
            let shown = self.store.read(|snapshot| self.shown(snapshot, &record.scope, &record.name));
            if let Some((shown, kept)) = shown.map_err(error::service)? {
                self.functions.put(&record.scope, &record.name, shown);
                self.engine
                    .keep(&FunctionKey { scope: record.scope.clone(), name: record.name.clone() }, &kept);
            }
        }
        Ok(())
    }

    /// A function as invocations see it, and what of it is to be initialised before they come.
    fn shown(
        &self,
        snapshot: &Snapshot<'_>,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<Option<(Shown, Vec<Kept>)>, store::Error> {
        let shown = Shown::read(snapshot, scope, name, &|record| match self
            .hot_reload
            .refusal(&record.in_effect().code.sha256)
        {
            Some(why) => Ok(Some(why)),
            None => RuntimeManagement::refusal(snapshot, record, &self.options.runtime_version),
        })?;
        let Some(shown) = shown else { return Ok(None) };
        let kept = concurrency::kept(snapshot, scope, name, &shown)?;
        Ok(Some((shown, kept)))
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
            signed_by: None,
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
