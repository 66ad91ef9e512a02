//! The templates in real sandboxes: interpreters start from what they are given and nothing else of the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Family, Runtime};
use runtimes::{Catalogue, DetectOptions, Fit, STEM_VARIABLE, Search, Serving, specialisation};
use sandbox::net::{NetworkOptions, PolicyOptions};
use sandbox::{Cpu, Launcher, Limits, Sandbox, Sandboxes, Specialisation};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

sandbox::launcher_in_tests!();

const LIMITS: Limits = Limits { memory_mib: 512, cpu: Cpu::Full, pids: 128 };

const PYTHON: &str = "import bz2, ctypes, hashlib, json, os, socket, sqlite3, ssl, subprocess, sys, zlib
def handler(event, context):
    child = subprocess.run([sys.executable, '-c', 'import pip'], capture_output=True, text=True)
    try:
        import pip
    except ImportError:
        pip = None
    return {'sum': sum(event), 'path': sys.path, 'cwd': os.getcwd(), 'pip': pip is not None or child.returncode == 0,
            'executable': sys.executable, 'file': __file__, 'ssl': ssl.OPENSSL_VERSION.startswith('OpenSSL')}
";

const NODE: &str = "import crypto from 'node:crypto'; import fs from 'node:fs';
export const handler = async (event) => ({ sum: event.reduce((a, b) => a + b), cwd: process.cwd(), executable: process.execPath,
    hash: crypto.createHash('sha256').update('').digest('hex').slice(0, 8), home: fs.readdirSync('/root').length > 0 });
";

struct Fixture {
    sandboxes: Sandboxes,
    place: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        readable(place.path());
        let options = sandbox::Options {
            roots: vec![place.path().to_owned()],
            cgroup: "hearth-runtimes-tests".into(),
            sandboxes_max: 64,
            ..sandbox::Options::default()
        };
        let policy =
            PolicyOptions { internet: false, endpoint_port: 4566, allow: Vec::new(), deny: Vec::new() };
        let network = NetworkOptions::new(policy, Arc::new(drop));
        let sandboxes = Launcher::spawn(options).unwrap().connect(network).unwrap();
        Self { sandboxes, place }
    }

    /// A function's directory.
    fn code(&self, (name, text): (&str, &str)) -> PathBuf {
        let directory = tempfile::tempdir_in(self.place.path()).unwrap().keep();
        std::fs::create_dir_all(directory.join("lib")).unwrap();
        std::fs::write(directory.join(name), text).unwrap();
        readable(&directory);
        directory
    }

    /// Starts the function, first or last, and invokes it once.
    async fn invoke(&self, serving: &Serving, stem: bool) -> Value {
        let file = match serving.runtime().family() {
            Family::Node => ("index.mjs", NODE),
            _ => ("lambda_function.py", PYTHON),
        };
        self.invoke_file(serving, stem, file).await
    }

    async fn invoke_file(&self, serving: &Serving, stem: bool, file: (&str, &str)) -> Value {
        let template = self.sandboxes.template(serving.template()).await.unwrap();
        let sandbox = self.sandboxes.create(&template, LIMITS).await.unwrap();
        let task = self.code(file);
        let own = BTreeMap::from([("_HANDLER".to_owned(), handler(serving).to_owned())]);
        let mut env = serving.command(512).env;
        let process = if stem {
            env.insert(STEM_VARIABLE.to_owned(), "1".to_owned());
            let mut process = start(&sandbox, serving, env, "/").await;
            process.control.read_u8().await.unwrap();
            sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
            process.control.write_all(&specialisation(&own, handler(serving))).await.unwrap();
            process
        } else {
            sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
            env.extend(own);
            start(&sandbox, serving, env, "/var/task").await
        };
        let answer = tokio::select! {
            answer = serve_one(&sandbox) => answer,
            (output, exit) = finish(process) => panic!("{}: {exit:?}: {output}", serving.version_label()),
        };
        sandbox.destroy().await.unwrap();
        answer
    }
}

fn handler(serving: &Serving) -> &'static str {
    match serving.runtime().family() {
        Family::Node => "index.handler",
        _ => "lambda_function.handler",
    }
}

async fn start(
    sandbox: &Sandbox,
    serving: &Serving,
    env: BTreeMap<String, String>,
    cwd: &str,
) -> sandbox::Process {
    let argv = serving.command(512).argv;
    let command = sandbox::Command { argv, env: env.into_iter().collect(), cwd: cwd.into() };
    sandbox.start(command).await.unwrap()
}

async fn finish(mut process: sandbox::Process) -> (String, sandbox::Exit) {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let exited = process.exited();
    let (_, _, exit) = tokio::join!(
        process.stdout.read_to_string(&mut stdout),
        process.stderr.read_to_string(&mut stderr),
        exited
    );
    (stdout + &stderr, exit)
}

/// Plays the Runtime API for one invocation.
async fn serve_one(sandbox: &Sandbox) -> Value {
    let (mut stream, _) = sandbox.runtime_api().accept().await.unwrap();
    let (head, _) = read_request(&mut stream).await;
    assert!(head.starts_with("GET /2018-06-01/runtime/invocation/next "), "{head}");
    let invocation = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\
                      Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\r\n[1,2,3]";
    stream.write_all(invocation.as_bytes()).await.unwrap();
    let (head, body) = read_request(&mut stream).await;
    let text = String::from_utf8_lossy(&body);
    assert!(head.starts_with("POST /2018-06-01/runtime/invocation/1/response "), "{head}\n{text}");
    serde_json::from_slice(&body).unwrap()
}

async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

fn readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn catalogue(search: Search, name: &str) -> Catalogue {
    let cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    Catalogue::detect(&DetectOptions { search, ..DetectOptions::host(cache_dir) }).unwrap()
}

fn exact(catalogue: &Catalogue, family: Family) -> Vec<Serving> {
    let of_family = Runtime::ALL.iter().filter(|runtime| runtime.family() == family);
    let served = of_family.filter_map(|runtime| catalogue.serve(*runtime).ok());
    served.filter(|serving| serving.fit() == Fit::Exact).collect()
}

#[tokio::test]
async fn every_python_of_this_machine_runs_in_a_sandbox() {
    let fixture = Fixture::new();
    let served = exact(&catalogue(Search::host(), "runtimes"), Family::Python);
    assert!(!served.is_empty());
    for serving in served {
        for stem in [false, true] {
            check_python(&serving, &fixture.invoke(&serving, stem).await);
        }
    }
}

#[tokio::test]
async fn the_distributions_own_python_runs_in_a_sandbox() {
    let search = Search { path: vec!["/usr/bin".into()], root: "/nowhere".into(), ..Search::default() };
    let fixture = Fixture::new();
    // A machine may have none; the test above insists on one of some kind.
    for serving in exact(&catalogue(search, "runtimes-usr"), Family::Python) {
        check_python(&serving, &fixture.invoke(&serving, false).await);
    }
}

fn check_python(serving: &Serving, answer: &Value) {
    let label = serving.version_label();
    let version = serving.runtime().id();
    assert_eq!(
        (&answer["sum"], &answer["cwd"], &answer["ssl"]),
        (&json!(6), &json!("/var/task"), &json!(true)),
        "{label}"
    );
    assert_eq!(answer["executable"], format!("/var/lang/bin/{version}"), "{label}");
    assert_eq!(answer["pip"], json!(false), "{label}: the host's packages are seen");
    let path: Vec<&str> =
        answer["path"].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap()).collect();
    let first =
        ["/var/task", &format!("/opt/python/lib/{version}/site-packages"), "/opt/python", "/var/runtime"];
    assert_eq!(path[..4], first, "{label}");
    assert!(
        path[4..]
            .iter()
            .all(|entry| ["/var/lang/", "/var/runtime/", "/usr/lib/"].iter().any(|it| entry.starts_with(it))),
        "{path:?}"
    );
}

#[tokio::test]
async fn every_node_of_this_machine_runs_in_a_sandbox() {
    let fixture = Fixture::new();
    let served = exact(&catalogue(Search::host(), "runtimes"), Family::Node);
    assert!(!served.is_empty());
    for serving in served {
        for stem in [false, true] {
            let answer = fixture.invoke(&serving, stem).await;
            assert_eq!(
                (&answer["sum"], &answer["cwd"], &answer["home"]),
                (&json!(6), &json!("/var/task"), &json!(false))
            );
            assert_eq!(answer["hash"], "e3b0c442");
        }
    }
}

#[tokio::test]
#[ignore = "needs a network, the first time"]
async fn the_sdks_are_found_without_being_packaged() {
    let catalogue = catalogue(Search::host(), "runtimes");
    let fixture = Fixture::new();
    for family in [Family::Python, Family::Node] {
        let installed =
            runtimes::sdk::ensure(&catalogue, family, |progress| eprintln!("{progress:?}")).await.unwrap();
        eprintln!("{installed:?}");
        for serving in exact(&catalogue, family) {
            let files: &[(&str, &str)] = match family {
                Family::Node => &[
                    (
                        "index.mjs",
                        "import { S3Client } from '@aws-sdk/client-s3'; export const handler = async () => S3Client.name;",
                    ),
                    (
                        "index.cjs",
                        "const { S3Client } = require('@aws-sdk/client-s3'); exports.handler = async () => S3Client.name;",
                    ),
                ],
                _ => &[(
                    "lambda_function.py",
                    "import boto3\ndef handler(event, context):\n    return boto3.client('s3', region_name='eu-west-1').meta.service_model.service_id + 'Client'\n",
                )],
            };
            for (file, stem) in files.iter().flat_map(|file| [(*file, false), (*file, true)]) {
                let begun = std::time::Instant::now();
                assert_eq!(
                    fixture.invoke_file(&serving, stem, file).await,
                    "S3Client",
                    "{}",
                    serving.version_label()
                );
                eprintln!("{} {} stem {stem}: {:?}", serving.version_label(), file.0, begun.elapsed());
            }
        }
    }
}
