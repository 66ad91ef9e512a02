//! What serves one identifier: the root it runs in and what is started there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Family, FunctionVersion, Runtime};
use sandbox::TemplateSpec;

use crate::choice::Fit;
use crate::clients::Clients;
use crate::environment;
use crate::interpreter::Interpreter;
use crate::java;
use crate::libraries::{self, Library};
use crate::sdk;

/// Where an interpreter is in a sandbox.
const LANG: &str = "/var/lang";
/// Where a runtime client is in a sandbox.
const RUNTIME: &str = "/var/runtime";
/// Where Java's client is in a sandbox.
const JAVA_CLASSES: &str = "/var/runtime/classes";
/// Where a package's `bootstrap` may be, in the order it is looked for.
const BOOTSTRAPS: &[&str] = &["/var/task/bootstrap", "/opt/bootstrap"];

/// What is started in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments. Empty for `provided.*`: [`Serving::bootstraps`] says which file of the package it is.
    pub argv: Vec<String>,
    /// The variables that do not depend on the function; [`crate::of_function`] has the others.
    pub env: BTreeMap<String, String>,
    /// The current directory of a fresh start. A stem starts at `/` and goes there when it is specialised.
    pub cwd: &'static str,
}

/// What serves an identifier on this machine.
#[derive(Clone, Debug)]
pub struct Serving {
    pub(crate) runtime: Runtime,
    pub(crate) fit: Fit,
    pub(crate) interpreter: Option<Arc<Interpreter>>,
    pub(crate) clients: Clients,
    pub(crate) cache_dir: PathBuf,
}

impl Serving {
    /// The identifier that is served.
    pub fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// Whether it is the very version.
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// The interpreter; none for `provided.*`.
    pub fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreter.as_deref()
    }

    /// The runtime version for `INIT_START`, such as `python:3.12.1`.
    pub fn version_label(&self) -> String {
        match &self.interpreter {
            Some(interpreter) => format!("{}:{}", family_label(self.runtime), interpreter.version),
            None => self.runtime.id().replace('.', ":"),
        }
    }

    /// What to say loudly when another version of the family serves; nothing when the very version does.
    pub fn notice(&self) -> Option<String> {
        let interpreter = self.interpreter.as_ref().filter(|_| self.fit == Fit::Nearest)?;
        let language = crate::catalogue::language(self.runtime)?;
        let (name, version) = (language.name, interpreter.version);
        let how = crate::table::advice(language, self.runtime);
        Some(format!(
            "{} is served by {name} {version}, the nearest on this machine; for the very version {how}",
            self.runtime
        ))
    }

    /// The root: the sandbox's base, and the interpreter, its libraries, the runtime client and the AWS SDK if it is
    /// installed by now.
    pub fn template(&self) -> TemplateSpec {
        let base = TemplateSpec::base();
        match &self.interpreter {
            Some(interpreter) => self.with_client(self.with_interpreter(base, interpreter), interpreter),
            None => base,
        }
    }

    fn with_interpreter(&self, base: TemplateSpec, interpreter: &Interpreter) -> TemplateSpec {
        if interpreter.family == Family::Java {
            return with_java(base, interpreter);
        }
        let program = program_name(interpreter);
        let inside = Path::new(LANG).join("bin").join(&program);
        let mut template = if libraries::in_base(&interpreter.executable) {
            base.symlink(&interpreter.executable, inside)
        } else {
            // Only what it needs, not its whole prefix: a prefix may be ~/.local, with the user's secrets in it.
            base.bind(&interpreter.executable, inside)
        };
        let outside_base = |directory: &&PathBuf| !libraries::in_base(directory);
        for directory in interpreter.standard_library.iter().filter(outside_base) {
            // Most Rubies look for their library at the very place they were built for.
            let inside = match interpreter.family {
                Family::Ruby => directory.clone(),
                _ => inside_lang(directory, &interpreter.prefix),
            };
            template = template.bind(directory, inside);
        }
        for library in &interpreter.shared_libraries {
            let host = std::fs::canonicalize(&library.path).unwrap_or_else(|_| library.path.clone());
            template = template.bind(host, library_inside(library, &interpreter.prefix));
        }
        for alias in aliases(interpreter.family).iter().filter(|alias| **alias != program) {
            template = template.symlink(&program, Path::new(LANG).join("bin").join(alias));
        }
        self.hiding_packages(template, interpreter)
    }

    /// Covers the packages that are installed on the host: a function sees its own and the runtime's.
    fn hiding_packages(&self, mut template: TemplateSpec, interpreter: &Interpreter) -> TemplateSpec {
        for directory in &interpreter.hidden {
            if libraries::in_base(directory) {
                template = template.bind(self.clients.empty(), directory);
            } else if interpreter.standard_library.iter().any(|library| directory.starts_with(library)) {
                template = template.bind(self.clients.empty(), inside_lang(directory, &interpreter.prefix));
            }
        }
        template
    }

    fn with_client(&self, mut template: TemplateSpec, interpreter: &Interpreter) -> TemplateSpec {
        let client = self.clients.directory(interpreter.family);
        let sdk = sdk::installed(interpreter, &self.cache_dir);
        match interpreter.family {
            Family::Python => {
                for name in [
                    "bootstrap.py",
                    "hearth_runtime_client.py",
                    "hearth_rehearsal.py",
                    "snapshot_restore_py.py",
                    "__pycache__",
                ] {
                    template = template.bind(client.join(name), format!("{RUNTIME}/{name}"));
                }
                if let Some(sdk) = sdk {
                    template = template.bind(sdk, format!("{RUNTIME}/python"));
                }
                template
            }
            Family::Node => {
                for name in ["index.mjs", "rehearsal.mjs", "rehearsal-commonjs.cjs"] {
                    template = template.bind(client.join(name), format!("{RUNTIME}/{name}"));
                }
                if let Some(sdk) = sdk {
                    template = template.bind(sdk.join("node_modules"), format!("{RUNTIME}/node_modules"));
                }
                // ES modules are not looked for on NODE_PATH but in the node_modules of each directory above theirs.
                // AWS's Node finds the SDK and layers from ES modules too; these links make every Node do so.
                template
                    .symlink("/opt/nodejs/node_modules", "/var/node_modules")
                    .symlink(format!("{RUNTIME}/node_modules"), "/node_modules")
            }
            Family::Java => template.bind(self.clients.java_classes(), JAVA_CLASSES),
            Family::Ruby => template.bind(client.join("bootstrap.rb"), format!("{RUNTIME}/bootstrap.rb")),
            Family::DotNet | Family::Provided => template,
        }
    }

    /// What is started, for a function of `memory_mib`: Node's heap is sized when it starts. A runtime started ahead
    /// of time is given its [`Serving::memory_class_mib`].
    pub fn command(&self, memory_mib: u32) -> Command {
        Command { argv: self.argv(memory_mib), env: environment::of_runtime(self.runtime), cwd: "/var/task" }
    }

    /// [`Serving::command`] for this very function: an option that its `NODE_OPTIONS` contradicts is left out, because
    /// Node believes its command line first.
    pub fn command_for(&self, version: &FunctionVersion) -> Command {
        let mut command = self.command(version.memory_mib);
        if let Some(wanted) = version.environment.get("NODE_OPTIONS") {
            command.argv.retain(|option| !contradicts(wanted, option));
        }
        command
    }

    /// Where a `provided.*` function's program may be, in the order it is looked for; empty for other families, whose
    /// program is [`Command::argv`].
    pub fn bootstraps(&self) -> &'static [&'static str] {
        if self.runtime.family() == Family::Provided { BOOTSTRAPS } else { &[] }
    }

    /// The memory that a runtime started ahead of time is sized for, if it is to serve a function of `memory_mib`.
    /// Runtimes of one class are interchangeable; those whose size is not fixed at the start have one class.
    pub fn memory_class_mib(&self, memory_mib: u32) -> u32 {
        match self.runtime.family() {
            Family::Node => node_memory_class_mib(memory_mib),
            _ => 0,
        }
    }

    fn argv(&self, memory_mib: u32) -> Vec<String> {
        let Some(interpreter) = &self.interpreter else { return Vec::new() };
        let program = format!("{LANG}/bin/{}", program_name(interpreter));
        match self.runtime.family() {
            // -S: the host's site-packages stay out; the client puts Lambda's own directories on the path.
            Family::Python => vec![program, "-S".to_owned(), format!("{RUNTIME}/bootstrap.py")],
            Family::Node => {
                let mut argv = vec![program];
                argv.extend(node_options(self.runtime, interpreter, memory_mib));
                argv.push(format!("{RUNTIME}/index.mjs"));
                argv
            }
            Family::Java => {
                let mut argv = vec![program];
                argv.extend(java::options(memory_mib, JAVA_CLASSES));
                argv
            }
            Family::Ruby => vec![program, format!("{RUNTIME}/bootstrap.rb")],
            Family::DotNet | Family::Provided => Vec::new(),
        }
    }
}

/// Where programs look for a library: beside the interpreter as on the host, or on `LD_LIBRARY_PATH`.
fn library_inside(library: &Library, prefix: &Path) -> PathBuf {
    let directory = library.path.parent().and_then(|parent| parent.strip_prefix(prefix).ok());
    Path::new(LANG).join(directory.unwrap_or(Path::new("lib"))).join(&library.name)
}

fn inside_lang(path: &Path, prefix: &Path) -> PathBuf {
    Path::new(LANG).join(path.strip_prefix(prefix).unwrap_or_else(|_| path.strip_prefix("/").unwrap_or(path)))
}

fn family_label(runtime: Runtime) -> &'static str {
    match runtime.family() {
        Family::Node => "nodejs",
        Family::Java => "java",
        Family::Ruby => "ruby",
        _ => "python",
    }
}

fn program_name(interpreter: &Interpreter) -> String {
    match interpreter.family {
        Family::Python => format!("python{}.{}", interpreter.version.major, interpreter.version.minor),
        Family::Java => "java".to_owned(),
        Family::Ruby => "ruby".to_owned(),
        _ => "node".to_owned(),
    }
}

/// A JDK is one directory, with nothing in it but itself, and what its links lead to.
fn with_java(base: TemplateSpec, java: &Interpreter) -> TemplateSpec {
    let template = if libraries::in_base(&java.prefix) {
        base.symlink(&java.executable, format!("{LANG}/bin/java"))
    } else {
        base.bind(&java.prefix, LANG)
    };
    let configuration = java::configuration(&java.prefix).into_iter();
    let template = configuration.fold(template, |template, file| {
        let host = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        template.bind(host, file)
    });
    let libraries = java.shared_libraries.iter();
    libraries.fold(template, |template, library| {
        let host = std::fs::canonicalize(&library.path).unwrap_or_else(|_| library.path.clone());
        // Beside the client and not beneath LANG, which is the host's directory: LD_LIBRARY_PATH has both.
        template.bind(host, format!("{RUNTIME}/lib/{}", library.name))
    })
}

fn aliases(family: Family) -> &'static [&'static str] {
    match family {
        Family::Python => &["python3", "python"],
        _ => &[],
    }
}

/// Features that Node.js 20 and 22 turned on half-way and that AWS keeps off, unless `NODE_OPTIONS` asks for them.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html>
const OFF_ON_LAMBDA: [&str; 2] = ["experimental-require-module", "experimental-detect-module"];

/// AWS's options, and its choice to keep two features off in the versions that turned them on half-way.
fn node_options(runtime: Runtime, interpreter: &Interpreter, memory_mib: u32) -> Vec<String> {
    let mut options = vec!["--expose-gc".to_owned(), "--max-http-header-size=81920".to_owned()];
    // AWS gives the young generation 5 % and the old one 90 % of the function's memory.
    options.push(format!("--max-semi-space-size={}", (memory_mib / 20).max(1)));
    options.push(format!("--max-old-space-size={}", memory_mib * 9 / 10));
    let version = (interpreter.version.major, interpreter.version.minor);
    let knows_them = ((20, 19)..(21, 0)).contains(&version) || ((22, 0)..(24, 0)).contains(&version);
    if matches!(runtime, Runtime::Node20 | Runtime::Node22) && knows_them {
        options.extend(OFF_ON_LAMBDA.map(|feature| format!("--no-{feature}")));
    }
    options
}

fn contradicts(node_options: &str, option: &str) -> bool {
    option.strip_prefix("--no-").is_some_and(|feature| {
        node_options.split_whitespace().any(|wanted| wanted.strip_prefix("--") == Some(feature))
    })
}

/// V8's heap limit is fixed when it starts. A class is the greatest of these that is not above the function's memory.
fn node_memory_class_mib(memory_mib: u32) -> u32 {
    const CLASSES_MIB: [u32; 10] = [128, 192, 256, 512, 1024, 1536, 2048, 3072, 4096, 8192];
    CLASSES_MIB.into_iter().rev().find(|class| *class <= memory_mib).unwrap_or(CLASSES_MIB[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::Version;

    fn serving(runtime: Runtime, version: (u32, u32, u32), place: &Path) -> Serving {
        let mut interpreter = Interpreter::named(runtime.family(), Version::from(version));
        interpreter.standard_library = vec!["/nowhere/lib/python3.12".into()];
        interpreter.hidden =
            vec!["/nowhere/lib/python3.12/site-packages".into(), "/elsewhere/lib/site-packages".into()];
        interpreter.shared_libraries = vec![
            Library { name: "libpython3.12.so.1.0".into(), path: "/nowhere/lib/libpython3.12.so.1.0".into() },
            Library { name: "libssl.so.3".into(), path: "/home/brew/lib/libssl.so.3".into() },
        ];
        let clients = Clients::write(place).unwrap();
        let interpreter = Some(Arc::new(interpreter));
        Serving { runtime, fit: Fit::Exact, interpreter, clients, cache_dir: place.to_owned() }
    }

    #[test]
    fn an_interpreter_brings_what_it_needs_and_not_its_prefix() {
        let place = tempfile::tempdir().unwrap();
        let template = serving(Runtime::Python312, (3, 12, 1), place.path()).template();
        let bound = |inside: &str| {
            let bind = template.binds.iter().find(|bind| bind.inside == Path::new(inside));
            bind.map(|bind| bind.host.clone()).unwrap_or_else(|| panic!("{inside} is not bound"))
        };
        assert_eq!(bound("/var/lang/bin/python3.12"), Path::new("/nowhere/bin/program"));
        assert_eq!(bound("/var/lang/lib/python3.12"), Path::new("/nowhere/lib/python3.12"));
        assert_eq!(
            bound("/var/lang/lib/libpython3.12.so.1.0"),
            Path::new("/nowhere/lib/libpython3.12.so.1.0")
        );
        assert_eq!(bound("/var/lang/lib/libssl.so.3"), Path::new("/home/brew/lib/libssl.so.3"));
        assert!(bound("/var/runtime/hearth_runtime_client.py").starts_with(place.path()));
        assert_eq!(std::fs::read_dir(bound("/var/lang/lib/python3.12/site-packages")).unwrap().count(), 0);
        assert!(template.binds.iter().all(|bind| bind.host != Path::new("/nowhere")));
        assert!(template.binds.iter().all(|bind| !bind.host.starts_with("/elsewhere")));
    }

    #[test]
    fn what_comes_first_is_bound_first() {
        let place = tempfile::tempdir().unwrap();
        let template = serving(Runtime::Python312, (3, 12, 1), place.path()).template();
        for (index, bind) in template.binds.iter().enumerate() {
            let beneath =
                template.binds[index + 1..].iter().find(|later| bind.inside.starts_with(&later.inside));
            assert!(beneath.is_none(), "{} is covered by {beneath:?}", bind.inside.display());
        }
    }

    #[test]
    fn nodes_heap_is_sized_by_the_functions_memory() {
        let place = tempfile::tempdir().unwrap();
        let node = serving(Runtime::Node18, (18, 20, 8), place.path());
        let argv = node.command(1024).argv;
        let expected = [
            "/var/lang/bin/node",
            "--expose-gc",
            "--max-http-header-size=81920",
            "--max-semi-space-size=51",
            "--max-old-space-size=921",
            "/var/runtime/index.mjs",
        ];
        assert_eq!(argv, expected);
        let classes = [128, 200, 256, 1023, 1024, 10_240].map(|memory_mib| node.memory_class_mib(memory_mib));
        assert_eq!(classes, [128, 192, 256, 512, 1024, 8192]);
    }

    #[test]
    fn features_that_aws_keeps_off_are_off_where_node_knows_them() {
        let place = tempfile::tempdir().unwrap();
        for (runtime, version, off) in [
            (Runtime::Node20, (20, 19, 0), true),
            (Runtime::Node20, (20, 18, 0), false),
            (Runtime::Node20, (21, 0, 0), false),
            (Runtime::Node22, (22, 12, 0), true),
            (Runtime::Node22, (24, 1, 0), false),
            (Runtime::Node24, (24, 1, 0), false),
        ] {
            let argv = serving(runtime, version, place.path()).command(512).argv;
            let flag = "--no-experimental-require-module".to_owned();
            assert_eq!(argv.contains(&flag), off, "{runtime} {version:?}");
        }
    }

    #[test]
    fn node_options_can_turn_a_feature_on() {
        assert!(contradicts(
            "--enable-source-maps --experimental-require-module",
            "--no-experimental-require-module"
        ));
        assert!(!contradicts("--experimental-require-module", "--no-experimental-detect-module"));
        assert!(!contradicts("--expose-gc", "--expose-gc"));
    }

    #[test]
    fn pythons_one_class_serves_any_memory() {
        let place = tempfile::tempdir().unwrap();
        let python = serving(Runtime::Python312, (3, 12, 1), place.path());
        assert_eq!(python.memory_class_mib(128), python.memory_class_mib(10_240));
        assert_eq!(python.command(128).argv, ["/var/lang/bin/python3.12", "-S", "/var/runtime/bootstrap.py"]);
        assert_eq!(python.version_label(), "python:3.12.1");
    }
}
