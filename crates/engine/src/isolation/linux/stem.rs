//! A runtime that was started before anybody knew for which function: made ready, and told.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use runtimes::{STEM_VARIABLE, Serving};
use sandbox::{Process, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault;
use crate::isolation::Fault;

/// Where a stem waits: `/var/task` is not there yet, and one that stood in it would go on standing beneath the mount.
const PLACE: &str = "/";
/// Starting takes 25 to 50 ms on a quiet machine; this is for one that is not.
const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts the runtime and waits until only the function is missing.
pub(super) async fn start(sandbox: &Sandbox, serving: &Serving, class_mib: u32) -> Result<Process, Fault> {
    let runtimes::Command { argv, mut env, cwd: _ } = serving.command(class_mib);
    env.insert(STEM_VARIABLE.to_owned(), "1".to_owned());
    let command = sandbox::Command { argv, env: env.into_iter().collect(), cwd: PathBuf::from(PLACE) };
    let mut process = sandbox.start(command).await.map_err(fault)?;
    match tokio::time::timeout(READY_TIMEOUT, process.control.read_u8()).await {
        Ok(Ok(_ready)) => Ok(process),
        Ok(Err(error)) => Err(Fault(format!("a runtime ended before it was ready: {error}"))),
        Err(_) => Err(Fault(format!("a runtime was not ready within {READY_TIMEOUT:?}"))),
    }
}

/// Makes it the function's: from here on it is as if it had been started with these variables.
pub(super) async fn specialise(
    process: &mut Process,
    variables: &BTreeMap<String, String>,
    handler: &str,
) -> io::Result<()> {
    process.control.write_all(&runtimes::specialisation(variables, handler)).await
}
