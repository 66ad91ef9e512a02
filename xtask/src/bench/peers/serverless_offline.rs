//! serverless-offline, from npm: functions from a file, Node.js in worker threads, Python as a process each.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::program::{Program, free_address};
use super::{COLD, Functions, Peer};
use crate::bench::function::Kind;
use crate::run::run_twice;

/// The last ones that work without an account of their maker's.
const PACKAGES: [&str; 2] = ["serverless@3.40.0", "serverless-offline@13.9.0"];
/// What each kind is called here: it knows no later Python.
const KINDS: [(&str, &str, &str); 2] =
    [("python", "python3.11", "lambda_function.handler"), ("node", "nodejs20.x", "index.handler")];

pub fn start(root: &Path, home: &Path, _kinds: &[Kind]) -> anyhow::Result<Peer> {
    let at = home.join("serverless-offline");
    install(&at)?;
    for file in ["lambda_function.py", "index.mjs"] {
        fs::copy(root.join("benches/functions").join(file), at.join(file))
            .with_context(|| format!("copy {file}"))?;
    }
    let mut functions = Vec::new();
    let mut declared = String::new();
    for (slug, runtime, handler) in KINDS {
        let names: Vec<String> = (0..=COLD).map(|number| format!("{slug}{number}")).collect();
        for name in &names {
            declared.push_str(&format!(
                "  {name}: {{handler: {handler}, runtime: {runtime}, memorySize: 1769}}\n"
            ));
        }
        let exposed: Vec<String> = names.iter().map(|name| format!("bench-dev-{name}")).collect();
        functions.push(Functions { slug, warm: exposed[0].clone(), cold: exposed[1..].to_vec() });
    }
    let settings = "service: bench\nframeworkVersion: '3'\nprovider: {name: aws, stage: dev, region: us-east-1}\n\
                    plugins: [serverless-offline]\nfunctions:\n";
    fs::write(at.join("serverless.yml"), format!("{settings}{declared}"))?;
    let (address, other) = (free_address()?, free_address()?);
    let mut command = Command::new(at.join("node_modules/.bin/serverless"));
    command
        .current_dir(&at)
        .args(["offline", "--host", "127.0.0.1"])
        .args(["--lambdaPort", &address.port().to_string(), "--httpPort", &other.port().to_string()])
        .env("SLS_TELEMETRY_DISABLED", "1")
        .env("SLS_NOTIFICATIONS_MODE", "off");
    let program = Program::start(&mut command, &at.join("log"), address)?;
    Ok(Peer { name: "serverless-offline", address, functions, _running: Box::new(program) })
}

fn install(at: &Path) -> anyhow::Result<()> {
    let (done, wanted) = (at.join("installed"), PACKAGES.join("\n"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::create_dir_all(at)?;
    fs::write(at.join("package.json"), "{\"private\": true}\n")?;
    let npm = ["install", "--no-audit", "--no-fund", "--silent"];
    run_twice(Command::new("npm").args(npm).args(PACKAGES).current_dir(at))?;
    Ok(fs::write(done, wanted)?)
}
