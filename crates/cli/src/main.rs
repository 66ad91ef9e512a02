//! `hearth`: the one binary. It starts the server, and is the terminal's way to talk to one.

mod aws;
mod client;
mod duration;
mod functions;
mod invoke;
mod logs;
mod root_key;
mod runtimes_command;
mod settings;
mod up;
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
  hearth aws lambda list-functions       the AWS CLI, pointed at it
  hearth invoke NAME --payload '{}'      run a function
  hearth logs NAME --follow              watch what it prints";

#[derive(Subcommand)]
enum Command {
    /// Start the server and stay in the foreground
    Up(Box<up::Up>),
    /// Invoke a function and print its answer
    Invoke(invoke::Invoke),
    /// Print what a function logged
    Logs(logs::Logs),
    /// List the functions of an account and region
    Functions(functions::Functions),
    /// List each Lambda runtime and what serves it on this machine
    Runtimes(runtimes_command::Runtimes),
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
        Command::Invoke(invoke) => invoke.run(),
        Command::Logs(logs) => logs.run(),
        Command::Functions(functions) => functions.run(),
        Command::Runtimes(runtimes) => runtimes.run(),
        Command::Aws(aws) => aws.run(),
        Command::Version(version) => version.run(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hearth: {error:#}");
        ExitCode::FAILURE
    })
}
