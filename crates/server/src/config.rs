//! What an operator can decide, as values that cannot be wrong.
//!
//! Flags, environment and file are the `cli` crate's business; here every setting has its final type.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use lambda::RateLimits;
pub use sandbox::net::AddressRule;

/// Everything the server is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens. Anything but loopback demands [`auth`](Self::auth).
    pub listen: SocketAddr,
    /// Which clock Hearth keeps to.
    pub time: TimePolicy,
    /// Where everything durable lives.
    pub data: DataLocation,
    /// Derived things that are worth keeping but can be made again: SDKs for the managed runtimes, what detection found.
    pub cache_dir: PathBuf,
    /// The host name in URLs that Hearth returns.
    pub hostname: String,
    /// Who may call.
    pub auth: Auth,
    /// What to do about a runtime id that this machine does not have exactly.
    pub runtimes: RuntimePolicy,
    /// How a function's share of the processor is held.
    pub cpu: CpuPolicy,
    /// Whether functions reach the outside network.
    pub internet: bool,
    /// Destinations that functions may reach although they are on this machine, such as a developer's database.
    pub allow_hosts: Vec<AddressRule>,
    /// Destinations that functions may not reach.
    pub deny_hosts: Vec<AddressRule>,
    /// Whether a function's role must exist.
    pub roles: RolePolicy,
    /// What to do about a function's `VpcConfig`.
    pub vpc: VpcPolicy,
    /// The public keys of signing profiles, by the ARNs of their versions.
    pub signing_profiles: lambda::SigningProfiles,
    /// Folders whose folders may be functions' code, by their real paths.
    pub hot_reload: Vec<PathBuf>,
    /// Concurrent executions of one account in one region.
    pub concurrency: u32,
    /// How many requests an account may make of Lambda in a second.
    pub rate_limits: RateLimits,
    /// Memory that idle environments may hold, in MiB.
    pub idle_memory_mib: u64,
    /// How long an environment may stay idle.
    pub idle_age: Duration,
    /// What log groups may hold together, in bytes, before the oldest events go; as much as the disk has room for if
    /// it does not say.
    pub log_storage_bytes: Option<u64>,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataLocation {
    /// Kept in this directory.
    Directory(PathBuf),
    /// Gone when the server stops.
    Ephemeral,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Any signature, or none. Only on loopback.
    Open,
    /// Every request is signed with credentials Hearth knows: these, an IAM user's, or a session's.
    Required(RootCredentials),
}

/// The operator's own key: the account's root user.
#[derive(Clone, PartialEq, Eq)]
pub struct RootCredentials {
    /// `AKIA…`, or the operator's choice.
    pub access_key_id: String,
    /// The signing key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for RootCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret must not reach a log.
        f.debug_struct("RootCredentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What to do about a runtime id that this machine does not have exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimePolicy {
    /// Serve it with the nearest version of its family, and say so.
    #[default]
    Nearest,
    /// Refuse it.
    Exact,
}

/// Whether a function's role must exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RolePolicy {
    /// It must, and trust Lambda, as on AWS.
    #[default]
    Strict,
    /// Any well-formed ARN will do: for test suites written against emulators that never looked.
    Any,
}

/// What to do about a function's `VpcConfig`: Hearth has no VPCs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VpcPolicy {
    /// Refuse it.
    #[default]
    Refuse,
    /// Keep and show it, without effect: for definitions that are deployed elsewhere, too.
    Accept,
}

/// Which clock delays, retries, ages and the stamps of records keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimePolicy {
    /// The machine's.
    #[default]
    System,
    /// One that stands still until it is moved (`hearth time advance`).
    Virtual,
}

/// How a function's share of the processor is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuPolicy {
    /// A hard quota in proportion to memory, as on Lambda.
    #[default]
    Quota,
    /// A weight in proportion to memory: idle cycles may be used.
    Burst,
}

impl Config {
    /// Where Hearth listens unless told otherwise: the port that users of emulators already have in their scripts.
    pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4566);
    /// The longest an environment stays idle unless told otherwise.
    pub const IDLE_AGE_DEFAULT: Duration = Duration::from_secs(600);

    /// Refuses combinations that would be unsafe, with what to do instead.
    pub fn check(&self) -> Result<(), String> {
        if !self.listen.ip().is_loopback() && self.auth == Auth::Open {
            return Err(format!(
                "refusing to listen on {}: anyone who can reach that address could run code here.\n\
                 Add --auth so that every request must be signed, or listen on 127.0.0.1.",
                self.listen
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(listen: &str, auth: Auth) -> Config {
        Config {
            listen: listen.parse().unwrap(),
            time: TimePolicy::System,
            data: DataLocation::Ephemeral,
            cache_dir: PathBuf::new(),
            hostname: "127.0.0.1".into(),
            auth,
            runtimes: RuntimePolicy::Nearest,
            cpu: CpuPolicy::Quota,
            internet: true,
            allow_hosts: vec![],
            deny_hosts: vec![],
            roles: RolePolicy::Strict,
            vpc: VpcPolicy::Refuse,
            signing_profiles: Default::default(),
            hot_reload: vec![],
            concurrency: domain::limits::CONCURRENT_EXECUTIONS,
            rate_limits: RateLimits::None,
            idle_memory_mib: 1024,
            idle_age: Config::IDLE_AGE_DEFAULT,
            log_storage_bytes: None,
        }
    }

    #[test]
    fn listening_beyond_loopback_demands_authentication() {
        let root = RootCredentials { access_key_id: "AKIA".into(), secret_access_key: "s".into() };
        assert!(config("127.0.0.1:4566", Auth::Open).check().is_ok());
        assert!(config("[::1]:4566", Auth::Open).check().is_ok());
        assert!(config("0.0.0.0:4566", Auth::Required(root)).check().is_ok());
        let refusal = config("0.0.0.0:4566", Auth::Open).check().unwrap_err();
        assert!(refusal.contains("--auth"), "{refusal}");
    }
}
