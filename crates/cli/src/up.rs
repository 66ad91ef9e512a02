//! `hearth up`

use std::io::IsTerminal as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use server::config::{Auth, Config, DataLocation};
use server::{Prepared, Server};

use crate::settings::Settings;

/// How long threads may take to end after the server has stopped.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Start the server and stay in the foreground.
#[derive(Args)]
pub struct Up {
    #[command(flatten)]
    settings: Settings,

    /// Read settings from this file; flags and HEARTH_* variables win over it
    #[arg(long, env = "HEARTH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Up {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let started = Instant::now();
        let settings = self.settings.with_file(self.config.as_deref())?;
        log_to_stderr(settings.log.as_deref())?;
        let mut config = settings.into_config()?;
        let listener = listen(config.listen)?;
        config.listen = listener.local_addr()?;

        // The launcher and the confinement come before the first thread.
        let prepared = Prepared::new(config)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build()?;
        let outcome = runtime.block_on(async {
            let server = Server::start(prepared, listener).await?;
            print_banner(&server, started);
            let outcome = server.until_stopped().await;
            eprintln!("hearth: stopped");
            outcome
        });
        // Everything that matters has been waited for; an SDK that is still being installed may take minutes.
        runtime.shutdown_timeout(LAST_THREADS);
        outcome?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Threads for requests: half of the processors, because functions need the others. More of them would mostly wake each
/// other, and waking a thread costs more than what it is to do here.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

fn log_to_stderr(filter: Option<&str>) -> anyhow::Result<()> {
    let filter = filter.unwrap_or("warn");
    // It calls every refused request an error of its own.
    let quiet = format!("s3s=off,{filter}");
    let filter = tracing_subscriber::EnvFilter::try_new(quiet).with_context(|| {
        format!("--log {filter:?} is not a filter; write it like info, or warn,wire=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is taken: another Hearth, or another emulator, is running there. Stop it, or choose another \
             address with --listen 127.0.0.1:PORT"
        ),
        _ => anyhow::Error::new(error).context(format!("listen on {address}")),
    })
}

fn print_banner(server: &Server, started: Instant) {
    let facts = server.facts();
    let config = &facts.config;
    let access = match &config.auth {
        Auth::Open => "any credentials are accepted, from this machine only".to_owned(),
        Auth::Required(_) => "every request must be signed".to_owned(),
    };
    let data = match &config.data {
        DataLocation::Directory(dir) => dir.display().to_string(),
        DataLocation::Ephemeral => "nothing is kept (--ephemeral)".to_owned(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = vec![format!("Hearth {version} is ready in {} ms\n", started.elapsed().as_millis())];
    lines.push(format!("  Endpoint  {}  ({access})", facts.base_url));
    lines.push(format!("  Data      {data}"));
    for (title, told) in [("Runtimes", &facts.runtimes), ("Sandbox", &facts.isolation)] {
        for (index, line) in told.iter().enumerate() {
            lines.push(format!("  {:8}  {line}", if index == 0 { title } else { "" }));
        }
    }
    lines.push("\nPaste this where you work:".to_owned());
    lines.push(format!("  export AWS_ENDPOINT_URL={}", facts.base_url));
    lines.push(format!("  {}\n", credentials_line(config)));
    // At once, so that no warning stands in the middle of it.
    print!("{}", lines.join("\n"));
}

fn credentials_line(config: &Config) -> String {
    match (&config.auth, &config.data) {
        (Auth::Open, _) => {
            "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1".to_owned()
        }
        // The key stays in its file; a terminal's scrollback is no place for it.
        (Auth::Required(_), DataLocation::Directory(dir)) if crate::root_key::path(dir).exists() => format!(
            "export AWS_SHARED_CREDENTIALS_FILE={} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
            crate::root_key::path(dir).display()
        ),
        (Auth::Required(root), _) => format!(
            "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY=<the secret you configured> AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
            root.access_key_id
        ),
    }
}
