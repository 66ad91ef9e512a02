//! How long the steps of a sandbox's life take here: `cargo run --release -p sandbox --example measure`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::net::{NetworkOptions, PolicyOptions};
use sandbox::{Command, Cpu, LAUNCHER_ARGUMENT, Launcher, Limits, Options, Specialisation, TemplateSpec};

const ROUNDS: usize = 200;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(LAUNCHER_ARGUMENT) {
        sandbox::launcher_main();
    }
    let root = std::env::temp_dir().join(format!("sandbox-measure-{}", std::process::id()));
    let options = Options {
        roots: vec![root.clone()],
        storage: Some(std::env::temp_dir()),
        cgroup: "hearth-measure".into(),
        ..Options::default()
    };
    let start = Instant::now();
    let launcher = Launcher::spawn(options).expect("this machine can make sandboxes");
    println!("launcher ready   {:?}", start.elapsed());
    for (name, grant) in launcher.strength().grants() {
        println!("{name:<16} {grant:?}");
    }
    let task = root.join("code");
    std::fs::create_dir_all(&task).expect("the root was just made");
    let runtime = tokio::runtime::Runtime::new().expect("an async runtime");
    runtime.block_on(measure(launcher, &task));
    std::fs::remove_dir_all(root).expect("nothing is mounted there outside of sandboxes");
}

async fn measure(launcher: Launcher, task: &std::path::Path) {
    let policy = PolicyOptions { internet: true, endpoint_port: 4566, allow: Vec::new(), deny: Vec::new() };
    let sandboxes =
        launcher.connect(NetworkOptions::new(policy, Arc::new(drop))).expect("the launcher is there");
    let start = Instant::now();
    let template = sandboxes.template(TemplateSpec::base()).await.expect("the base can be bound");
    println!("template         {:?}", start.elapsed());
    let limits = Limits { memory_mib: 512, cpu: Cpu::Quota(1000), pids: 1024 };
    let command = Command { argv: vec!["/bin/true".into()], env: Vec::new(), cwd: "/".into() };
    let mut steps: [(&str, Vec<Duration>); 6] =
        ["create", "specialise", "set limits", "freeze and thaw", "start /bin/true", "destroy"]
            .map(|name| (name, Vec::new()));
    let mut held = Vec::new();
    for _ in 0..ROUNDS {
        let mut clock = Instant::now();
        let mut lap = |step: usize| {
            steps[step].1.push(clock.elapsed());
            clock = Instant::now();
        };
        let sandbox = sandboxes.create(&template, limits).await.expect("a sandbox");
        lap(0);
        sandbox.specialise(Specialisation::of(task, 512, limits)).await.expect("specialised");
        lap(1);
        sandbox.set_limits(&limits).expect("limited");
        lap(2);
        sandbox.freeze().and_then(|()| sandbox.thaw()).expect("frozen and thawed");
        lap(3);
        let process = sandbox.start(command.clone()).await.expect("started");
        process.exited().await;
        lap(4);
        held.push(sandbox);
    }
    for sandbox in held {
        let clock = Instant::now();
        sandbox.destroy().await.expect("destroyed");
        steps[5].1.push(clock.elapsed());
    }
    for (name, mut laps) in steps {
        laps.sort();
        println!("{name:<16} p50 {:?}, p99 {:?}", laps[laps.len() / 2], laps[laps.len() * 99 / 100]);
    }
    sandboxes.shutdown().await;
}
