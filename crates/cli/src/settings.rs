//! Settings as a person gives them: flags, then `HEARTH_*` variables, then a file, then defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use server::config::{
    AddressRule, Auth, Config, CpuPolicy, DataLocation, RateLimits, RolePolicy, RootCredentials,
    RuntimePolicy, TimePolicy, VpcPolicy,
};

/// One struct for all three sources, so that a setting cannot exist in one and be missing from another.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address and port to listen on
    #[arg(long, env = "HEARTH_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Where functions, logs and everything else durable is kept
    #[arg(long, env = "HEARTH_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Keep nothing: data lives in a temporary place and is gone when the server stops
    #[arg(long, env = "HEARTH_EPHEMERAL", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub ephemeral: Option<bool>,

    /// Which clock delays, retries and ages keep to: the machine's, or one that `hearth time advance` moves
    #[arg(long, env = "HEARTH_TIME", value_name = "CLOCK")]
    pub time: Option<Clock>,

    /// Host name in the URLs that Hearth returns
    #[arg(long, env = "HEARTH_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Demand that every request is signed with credentials Hearth knows
    #[arg(long, env = "HEARTH_AUTH", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub auth: Option<bool>,

    /// What to log to standard error, such as `info` or `warn,wire=debug`
    #[arg(long, env = "HEARTH_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// What to do about a runtime that this machine does not have exactly
    #[arg(long, env = "HEARTH_RUNTIMES", value_name = "POLICY")]
    pub runtimes: Option<Runtimes>,

    /// How a function's share of the processor is held
    #[arg(long, env = "HEARTH_CPU", value_name = "POLICY")]
    pub cpu: Option<Cpu>,

    /// Whether functions reach the outside network
    #[arg(long, env = "HEARTH_INTERNET", value_name = "BOOL")]
    pub internet: Option<bool>,

    /// A destination that functions may reach although it is on this machine, such as 127.0.0.1:5432
    #[arg(long, env = "HEARTH_ALLOW_HOST", value_delimiter = ',', value_name = "CIDR[:PORT]")]
    #[serde(default)]
    pub allow_host: Vec<String>,

    /// A destination that functions may not reach, such as 10.0.0.0/8
    #[arg(long, env = "HEARTH_DENY_HOST", value_delimiter = ',', value_name = "CIDR[:PORT]")]
    #[serde(default)]
    pub deny_host: Vec<String>,

    /// Whether a function's role must exist and trust Lambda, as on AWS; `any` takes any well-formed ARN
    #[arg(long, env = "HEARTH_ROLES", value_name = "POLICY")]
    pub roles: Option<Roles>,

    /// A function's VpcConfig: Hearth has no VPCs; `accept` keeps and shows it, without effect
    #[arg(long, env = "HEARTH_VPC", value_name = "POLICY")]
    pub vpc: Option<Vpc>,

    /// The public key (a PEM file) of a signing profile's version, for code signing
    #[arg(long, env = "HEARTH_SIGNING_PROFILE", value_delimiter = ',', value_name = "ARN=FILE")]
    #[serde(default)]
    pub signing_profile: Vec<String>,
    /// A folder whose folders may be functions' code, run as they are: for developing
    #[arg(long, env = "HEARTH_HOT_RELOAD", value_delimiter = ',', value_name = "DIR")]
    #[serde(default)]
    pub hot_reload: Vec<PathBuf>,

    /// Concurrent executions per account and region
    #[arg(long, env = "HEARTH_CONCURRENCY", value_name = "N")]
    pub concurrency: Option<u32>,

    /// How many requests an account may make of Lambda in a second: `aws` holds it to AWS's documented quotas
    #[arg(long, env = "HEARTH_RATE_LIMITS", value_name = "POLICY")]
    pub rate_limits: Option<Rates>,

    /// Memory that idle execution environments may hold, in MiB
    #[arg(long, env = "HEARTH_IDLE_MEMORY", value_name = "MIB")]
    pub idle_memory: Option<u64>,

    /// Longest time an execution environment stays idle, in seconds
    #[arg(long, env = "HEARTH_IDLE_AGE", value_name = "SECONDS")]
    pub idle_age: Option<u64>,

    /// What log groups may hold together, in MiB, before the oldest events go; 0 for no bound
    #[arg(long, env = "HEARTH_LOG_STORAGE", value_name = "MIB")]
    pub log_storage: Option<u64>,

    /// Where things that can be made again are kept: SDKs for the runtimes, what detection found
    #[arg(long, env = "HEARTH_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// The operator's access key id, with --auth; generated and kept in the data directory when absent
    #[arg(long, env = "HEARTH_ROOT_ACCESS_KEY_ID", value_name = "KEY", hide_env_values = true)]
    pub root_access_key_id: Option<String>,

    /// The operator's secret key; only by file or environment, since a command line is visible to others
    #[arg(skip)]
    pub root_secret_access_key: Option<String>,
}

/// `--runtimes`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Runtimes {
    /// Serve it with the nearest version of its family, and say so
    Nearest,
    /// Refuse it
    Exact,
}

/// `--roles`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Roles {
    /// A function's role must exist and trust Lambda
    Strict,
    /// Any well-formed ARN will do
    Any,
}

/// `--rate-limits`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Rates {
    /// As many as come
    None,
    /// AWS's quotas
    Aws,
}

/// `--vpc`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Vpc {
    /// Refuse it
    Refuse,
    /// Keep and show it, without effect on the function's network
    Accept,
}

/// `--time`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The machine's clock
    System,
    /// A clock that stands still until it is moved: retries of minutes are tested in milliseconds
    Virtual,
}

/// `--cpu`
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Cpu {
    /// A hard quota in proportion to memory, as on Lambda
    Quota,
    /// A weight in proportion to memory: idle cycles may be used
    Burst,
}

impl Settings {
    /// Reads the file that `--config` names, or the usual one if there is any.
    pub fn with_file(self, named: Option<&Path>) -> anyhow::Result<Self> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => match usual_file() {
                Some(path) if path.exists() => path,
                _ => return Ok(self),
            },
        };
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let file: Self = toml::from_str(&text).with_context(|| format!("understand {}", path.display()))?;
        Ok(self.or(file))
    }

    fn or(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
            data_dir: self.data_dir.or(lower.data_dir),
            ephemeral: self.ephemeral.or(lower.ephemeral),
            time: self.time.or(lower.time),
            hostname: self.hostname.or(lower.hostname),
            auth: self.auth.or(lower.auth),
            log: self.log.or(lower.log),
            runtimes: self.runtimes.or(lower.runtimes),
            cpu: self.cpu.or(lower.cpu),
            internet: self.internet.or(lower.internet),
            allow_host: if self.allow_host.is_empty() { lower.allow_host } else { self.allow_host },
            deny_host: if self.deny_host.is_empty() { lower.deny_host } else { self.deny_host },
            roles: self.roles.or(lower.roles),
            vpc: self.vpc.or(lower.vpc),
            signing_profile: if self.signing_profile.is_empty() {
                lower.signing_profile
            } else {
                self.signing_profile
            },
            hot_reload: if self.hot_reload.is_empty() { lower.hot_reload } else { self.hot_reload },
            concurrency: self.concurrency.or(lower.concurrency),
            rate_limits: self.rate_limits.or(lower.rate_limits),
            idle_memory: self.idle_memory.or(lower.idle_memory),
            idle_age: self.idle_age.or(lower.idle_age),
            log_storage: self.log_storage.or(lower.log_storage),
            cache_dir: self.cache_dir.or(lower.cache_dir),
            root_access_key_id: self.root_access_key_id.or(lower.root_access_key_id),
            root_secret_access_key: self.root_secret_access_key.or(lower.root_secret_access_key),
        }
    }

    /// What the server needs, with defaults filled in. May create the operator's key when `--auth` asks for one.
    pub fn into_config(mut self) -> anyhow::Result<Config> {
        self.root_secret_access_key =
            std::env::var("HEARTH_ROOT_SECRET_ACCESS_KEY").ok().or(self.root_secret_access_key);
        let listen = self.listen.unwrap_or(Config::LISTEN_DEFAULT);
        let data = match (self.ephemeral.unwrap_or(false), self.data_dir.take()) {
            (true, Some(dir)) => bail!(
                "--ephemeral keeps nothing, but --data-dir {} asks to keep it there; choose one",
                dir.display()
            ),
            (true, None) => DataLocation::Ephemeral,
            (false, Some(dir)) => DataLocation::Directory(std::path::absolute(dir)?),
            (false, None) => DataLocation::Directory(data_dir()?),
        };
        let config = Config {
            auth: self.auth(&data)?,
            cache_dir: match self.cache_dir.take() {
                Some(dir) => std::path::absolute(dir)?,
                None => cache_dir()?,
            },
            time: match self.time {
                Some(Clock::Virtual) => TimePolicy::Virtual,
                Some(Clock::System) | None => TimePolicy::System,
            },
            hostname: self.hostname.take().unwrap_or_else(|| default_hostname(listen)),
            runtimes: match self.runtimes {
                Some(Runtimes::Exact) => RuntimePolicy::Exact,
                Some(Runtimes::Nearest) | None => RuntimePolicy::Nearest,
            },
            cpu: match self.cpu {
                Some(Cpu::Burst) => CpuPolicy::Burst,
                Some(Cpu::Quota) | None => CpuPolicy::Quota,
            },
            internet: self.internet.unwrap_or(true),
            allow_hosts: address_rules("--allow-host", &self.allow_host)?,
            deny_hosts: address_rules("--deny-host", &self.deny_host)?,
            roles: match self.roles {
                Some(Roles::Any) => RolePolicy::Any,
                Some(Roles::Strict) | None => RolePolicy::Strict,
            },
            vpc: match self.vpc {
                Some(Vpc::Accept) => VpcPolicy::Accept,
                Some(Vpc::Refuse) | None => VpcPolicy::Refuse,
            },
            signing_profiles: signing_profiles(&self.signing_profile)?,
            hot_reload: folders("--hot-reload", &self.hot_reload)?,
            concurrency: self.concurrency.unwrap_or(domain::limits::CONCURRENT_EXECUTIONS),
            rate_limits: match self.rate_limits {
                Some(Rates::Aws) => RateLimits::Aws,
                Some(Rates::None) | None => RateLimits::None,
            },
            idle_memory_mib: self.idle_memory.unwrap_or_else(default_idle_memory_mib),
            idle_age: self.idle_age.map_or(Config::IDLE_AGE_DEFAULT, Duration::from_secs),
            log_storage_bytes: match self.log_storage.unwrap_or(LOG_STORAGE_MIB) {
                0 => None,
                mib => Some(mib.saturating_mul(1 << 20)),
            },
            listen,
            data,
        };
        config.check().map_err(anyhow::Error::msg)?;
        Ok(config)
    }

    fn auth(&mut self, data: &DataLocation) -> anyhow::Result<Auth> {
        match (self.root_access_key_id.take(), self.root_secret_access_key.take(), self.auth) {
            (Some(_), Some(_), Some(false)) => {
                bail!("an operator's key is configured, so signatures are checked; remove it or --auth=false")
            }
            (Some(access_key_id), Some(secret_access_key), _) => {
                Ok(Auth::Required(RootCredentials { access_key_id, secret_access_key }))
            }
            (None, None, Some(true)) => crate::root_key::read_or_create(data).map(Auth::Required),
            (None, None, _) => Ok(Auth::Open),
            _ => bail!(
                "the operator's key needs both HEARTH_ROOT_ACCESS_KEY_ID and HEARTH_ROOT_SECRET_ACCESS_KEY \
                 (or root-access-key-id and root-secret-access-key in the file)"
            ),
        }
    }
}

/// Folders by their real names: what is beneath them is compared with those.
fn folders(flag: &str, named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let real = |folder: &PathBuf| {
        let real = folder.canonicalize().with_context(|| format!("{flag} {}", folder.display()))?;
        if !real.is_dir() {
            bail!("{flag} {} is not a folder", folder.display());
        }
        Ok(real)
    };
    named.iter().map(real).collect()
}

fn address_rules(flag: &str, rules: &[String]) -> anyhow::Result<Vec<AddressRule>> {
    let understand = |rule: &String| {
        rule.parse().map_err(|_| {
            anyhow::anyhow!("{flag} {rule:?} is no destination; write it like 127.0.0.1:5432 or 10.0.0.0/8")
        })
    };
    rules.iter().map(understand).collect()
}

fn signing_profiles(settings: &[String]) -> anyhow::Result<lambda::SigningProfiles> {
    let understand = |setting: &String| {
        let (arn, file) = setting.split_once('=').with_context(|| {
            format!("--signing-profile {setting:?}: write it like arn:aws:signer:…:/signing-profiles/NAME/VERSION=FILE")
        })?;
        let text = std::fs::read_to_string(file).with_context(|| format!("read {file}"))?;
        let key = lambda::signature::PublicKey::parse(&text).with_context(|| {
            format!("{file} is not an Ed25519 public key; `hearth sign --new-key` makes one")
        })?;
        Ok((arn.to_owned(), key))
    };
    settings.iter().map(understand).collect()
}

/// What log groups may hold together, in MiB: AWS has no bound, but a laptop's disk has.
const LOG_STORAGE_MIB: u64 = 2048;

/// A wildcard address cannot stand in a URL; the loopback address can, as seen from this machine.
fn default_hostname(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { "localhost".to_owned() } else { listen.ip().to_string() }
}

/// A quarter of the machine's memory: enough to keep a developer's functions warm, never enough to hurt.
fn default_idle_memory_mib() -> u64 {
    const FALLBACK_MIB: u64 = 1024;
    let Ok(meminfo) = std::fs::read_to_string("/proc/meminfo") else { return FALLBACK_MIB };
    let total_kib = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    total_kib.map_or(FALLBACK_MIB, |kib| kib / 1024 / 4)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn home() -> anyhow::Result<PathBuf> {
    std::env::home_dir()
        .filter(|home| home.is_absolute())
        .context("HOME is not set: say --data-dir and --cache-dir")
}

fn xdg(variable: &str, under_home: &str, for_root: &str) -> anyhow::Result<PathBuf> {
    if is_root() {
        return Ok(PathBuf::from(for_root));
    }
    match std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(base) => Ok(base.join("hearth")),
        None => Ok(home()?.join(under_home).join("hearth")),
    }
}

/// Where data is kept unless told otherwise.
pub fn data_dir() -> anyhow::Result<PathBuf> {
    xdg("XDG_DATA_HOME", ".local/share", "/var/lib/hearth")
}

/// Where things that can be made again are kept unless told otherwise.
pub fn cache_dir() -> anyhow::Result<PathBuf> {
    xdg("XDG_CACHE_HOME", ".cache", "/var/cache/hearth")
}

fn usual_file() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config", "/etc/hearth").ok().map(|dir| dir.join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(toml: &str) -> Settings {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let flags = Settings { concurrency: Some(5), ..Settings::default() };
        let merged = flags.or(parse("concurrency = 7\nidle-age = 60"));
        assert_eq!((merged.concurrency, merged.idle_age), (Some(5), Some(60)));
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<Settings>("lisen = '127.0.0.1:1'").is_err());
    }

    #[test]
    fn ephemeral_and_a_data_directory_contradict_each_other() {
        let settings = Settings { ephemeral: Some(true), data_dir: Some("/x".into()), ..Settings::default() };
        assert!(settings.into_config().unwrap_err().to_string().contains("choose one"));
    }

    #[test]
    fn listening_everywhere_without_auth_is_refused() {
        let settings = Settings {
            listen: Some("0.0.0.0:0".parse().unwrap()),
            ephemeral: Some(true),
            ..Settings::default()
        };
        assert!(settings.into_config().unwrap_err().to_string().contains("--auth"));
    }

    #[test]
    fn half_a_key_is_refused() {
        let settings = Settings {
            root_access_key_id: Some("AKIA".into()),
            ephemeral: Some(true),
            ..Settings::default()
        };
        assert!(settings.into_config().is_err());
    }
}
