//! The life of a sandbox, from creation to nothing left.

mod support;

use sandbox::{Cpu, Exit, Limits, Specialisation};
use support::*;

#[tokio::test]
async fn a_program_runs_with_its_environment_and_says_its_status() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let mut command = command(&["/bin/sh", "-c", "echo $GREETING; pwd; echo oops >&2; exit 7"]);
    command.env.push(("GREETING".into(), "hello".into()));
    let finished = finish(sandbox.start(command).await.unwrap()).await;
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("hello\n/tmp\n", "oops\n"));
    assert_eq!(finished.exit, Exit::Code(7));
}
