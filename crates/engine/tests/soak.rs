//! Real sandboxes under functions that crash, hang, eat memory and are updated: everything is answered, nothing is left.

mod support;

use std::sync::Arc;
use std::time::Duration;

use engine::{FunctionKey, InvokeError, Limits};
use support::{Fixture, text};
use uuid::Uuid;

const CALLERS: u64 = 6;
/// Of a sandbox that waits: its sockets, pipes and control files.
const DESCRIPTORS_EACH: usize = 40;
const INVOCATIONS_EACH: u64 = 20;

const UNRULY: &str = r"
import os, signal, sys, time
def handler(event, context):
    what = event['what']
    print('doing', what)
    open(f'/tmp/{os.getpid()}', 'w').write('x' * 10000)
    if what == 0: os._exit(3)
    if what == 1: time.sleep(60)
    if what == 2: os.kill(os.getpid(), signal.SIGSEGV)
    if what == 3: return len(bytearray(400 * 1024 * 1024))
    if what == 4: raise ValueError('no')
    if what == 5: os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')
    if what == 6: return 'x' * 7_000_000
    return event['number']
";

/// Hears of everything, prints it, and sometimes crashes.
const EXTENSION: &str = r#"#!/usr/bin/env python3
import http.client, json, os, random, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, headers, body=None):
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    return answer.headers, json.loads(answer.read())
headers, _ = call("POST", "register", {"Lambda-Extension-Name": "agent"}, '{"events":["INVOKE","SHUTDOWN"]}')
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
while True:
    _, event = call("GET", "event/next", me)
    print("heard", event["eventType"], flush=True)
    if event["eventType"] == "SHUTDOWN" or random.random() < 0.05:
        sys.exit(0)
"#;

/// How many times the usual number: `HEARTH_SOAK=50` makes thousands of invocations of it.
fn times() -> u64 {
    std::env::var("HEARTH_SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_failures_is_answered_and_leaves_nothing_behind() {
    let limits = Limits { idle_age: Duration::from_secs(1), ..Limits::default() };
    let fixture = Arc::new(Fixture::with(limits).await);
    let mut version = fixture.python(UNRULY);
    version.memory_mib = 128;
    version.timeout = Duration::from_secs(2);
    fixture.invoke(&version, r#"{"what": 9, "number": 0}"#).await;
    let launcher = fixture.sandboxes.launcher_pid().unwrap();
    let (descriptors, mounts) = (descriptors(), mounts(launcher));
    let agent = fixture.layer("extensions/agent", EXTENSION);
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (fixture, mut version) = (Arc::clone(&fixture), version.clone());
            // Two of the callers have a function with an extension.
            let extended = caller % 3 == 2;
            if extended {
                version.layers = vec![agent.clone()];
                version.revision = Uuid::new_v4();
            }
            tokio::spawn(async move {
                for number in 0..INVOCATIONS_EACH * times() {
                    // Every caller takes the kinds in another order; half of all are good.
                    let what = (number * 7 + caller * 3) % 14;
                    let payload = format!(r#"{{"what": {what}, "number": {number}}}"#);
                    let outcome = match fixture.try_invoke(&version, &payload).await {
                        Ok(outcome) => outcome,
                        Err(InvokeError::Throttled { .. }) => continue,
                        Err(error) => panic!("{error}"),
                    };
                    match what {
                        _ if extended && outcome.function_error.is_some() => {}
                        0..=4 | 6 => assert!(outcome.function_error.is_some(), "{what}: {}", text(&outcome)),
                        _ => assert_eq!(text(&outcome), number.to_string()),
                    }
                    if number % 15 == 14 {
                        let former = std::mem::replace(&mut version.revision, Uuid::new_v4());
                        assert_ne!(former, version.revision);
                        fixture.engine.retire(&FunctionKey::of(&version), [version.revision]);
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    fixture.engine.shutdown(Duration::from_secs(10)).await;
    assert_eq!(fixture.engine.running(&version.scope), 0);
    // What was made ahead of time is still there, with one more that may be in the making, and nothing else.
    let gone = async {
        let ready = || fixture.linux.figures().stems_ready + fixture.linux.figures().sandboxes_ready;
        while children(launcher) > ready() + 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the sandboxes are gone");
    let left = self::descriptors();
    let ready = fixture.linux.figures().stems_ready + fixture.linux.figures().sandboxes_ready;
    assert!(left <= descriptors + 20 + ready * DESCRIPTORS_EACH, "{descriptors} descriptors became {left}");
    // Templates have one each, and there may be one more of them than in the beginning.
    let mounts_left = self::mounts(launcher);
    assert!(mounts_left <= mounts + 1, "{mounts} mounts became {mounts_left}");
    assert!(groups(launcher) <= ready + 1, "{} control groups for {ready} sandboxes", groups(launcher));
    assert!(namespaces(launcher) <= ready + 1, "{} networks for {ready} sandboxes", namespaces(launcher));
}

fn children(pid: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What is mounted where the launcher works.
fn mounts(launcher: u32) -> usize {
    std::fs::read_to_string(format!("/proc/{launcher}/mountinfo")).unwrap().lines().count()
}

/// The control groups of the launcher's sandboxes, in whichever hierarchy has most of them.
fn groups(launcher: u32) -> usize {
    let directories = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let of_launcher = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{launcher}-")))
    };
    let hierarchies = directories("/sys/fs/cgroup".as_ref());
    let bases = hierarchies.iter().flat_map(|hierarchy| directories(&hierarchy.join("hearth-engine-tests")));
    bases.filter(of_launcher).map(|base| directories(&base).len()).max().unwrap_or_default()
}

/// The networks of the launcher's sandboxes, each found at its init.
fn namespaces(launcher: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
    let networks: std::collections::HashSet<_> = children
        .split_whitespace()
        .filter_map(|pid| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok())
        .collect();
    networks.len()
}
