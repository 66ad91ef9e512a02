//! `hearth`: the one binary. It starts the server, and is the terminal's way to talk to one.

mod aws;
mod client;
mod deploy;
mod duration;
mod functions;
mod invoke;
mod logs;
mod metrics;
mod rm;
mod root_key;
mod runtimes_command;
mod settings;
mod sign;
mod time;
mod up;
mod url_command;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// AWS Lambda on your own machines.
#[derive(Parser)]
#[command(name = "hearth", version, about, max_term_width = 100, after_help = FIRST_STEPS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
Start here:
  hearth up                              start the server (Ctrl-C stops it)
  hearth deploy DIR --url                make a function of a folder, with a URL
  hearth aws lambda list-functions       the AWS CLI, pointed at the server
  hearth invoke NAME --payload '{}'      run a function
  hearth logs NAME --follow              watch what it prints";

#[derive(Subcommand)]
enum Command {
    /// Start the server and stay in the foreground
    Up(Box<up::Up>),
    /// Make a function of a folder, or bring it up to date
    Deploy(Box<deploy::Deploy>),
    /// Invoke a function and print its answer
    Invoke(invoke::Invoke),
    /// Print what a function logged
    Logs(logs::Logs),
    /// Print what Lambda measured: invocations, errors, durations
    Metrics(metrics::Metrics),
    /// Print a function's URL; give it one if it has none
    Url(url_command::Url),
    /// Delete a function with its versions, aliases, URLs and log
    Rm(rm::Rm),
    /// List the functions of an account and region
    Functions(functions::Functions),
    /// List each Lambda runtime and what serves it on this machine
    Runtimes(runtimes_command::Runtimes),
    /// Tell the server's time, or move it on (`hearth up --time virtual`)
    Time(time::Time),
    /// Sign a deployment package, for functions with a code signing configuration
    Sign(sign::Sign),
    /// Run the installed AWS CLI with endpoint, region and credentials filled in
    Aws(aws::Aws),
    /// Print the version
    Version(version::Version),
}

fn main() -> ExitCode {
    // The launcher is this same binary, started again before there is any thread.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == sandbox::LAUNCHER_ARGUMENT) {
        sandbox::launcher_main();
    }
    let outcome = match Cli::parse().command {
        Command::Up(up) => up.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Invoke(invoke) => invoke.run(),
        Command::Logs(logs) => logs.run(),
        Command::Metrics(metrics) => metrics.run(),
        Command::Url(url) => url.run(),
        Command::Rm(rm) => rm.run(),
        Command::Functions(functions) => functions.run(),
        Command::Runtimes(runtimes) => runtimes.run(),
        Command::Time(time) => time.run(),
        Command::Sign(sign) => sign.run(),
        Command::Aws(aws) => aws.run(),
        Command::Version(version) => version.run(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hearth: {error:#}");
        ExitCode::FAILURE
    })
}
