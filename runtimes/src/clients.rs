//! The runtime clients, embedded in the binary and written to the cache directory, where sandboxes can be shown them.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use domain::Family;
use sha2::{Digest, Sha256};

use crate::files;
use crate::interpreter::{Interpreter, Version};
use crate::java;

/// One file of a runtime client.
struct File {
    family: Family,
    /// Its name at `/var/runtime`.
    name: &'static str,
    text: &'static str,
}

macro_rules! java {
    ($name:literal) => {
        File { family: Family::Java, name: $name, text: include_str!(concat!("../java/", $name)) }
    };
}

const FILES: &[File] = &[
    File { family: Family::Python, name: "bootstrap.py", text: include_str!("../python/bootstrap.py") },
    File {
        family: Family::Python,
        name: "hearth_runtime_client.py",
        text: include_str!("../python/hearth_runtime_client.py"),
    },
    File {
        family: Family::Python,
        name: "snapshot_restore_py.py",
        text: include_str!("../python/snapshot_restore_py.py"),
    },
    File {
        family: Family::Python,
        name: "hearth_rehearsal.py",
        text: include_str!("../python/hearth_rehearsal.py"),
    },
    // AWS's entry file has this name, and error messages show it: "Require stack:\n- /var/runtime/index.mjs".
    File { family: Family::Node, name: "index.mjs", text: include_str!("../nodejs/bootstrap.mjs") },
    File { family: Family::Node, name: "rehearsal.mjs", text: include_str!("../nodejs/rehearsal.mjs") },
    File {
        family: Family::Node,
        name: "rehearsal-commonjs.cjs",
        text: include_str!("../nodejs/rehearsal-commonjs.cjs"),
    },
    File { family: Family::Ruby, name: "bootstrap.rb", text: include_str!("../ruby/bootstrap.rb") },
    java!("com/amazonaws/services/lambda/crac/CheckpointException.java"),
    java!("com/amazonaws/services/lambda/crac/Context.java"),
    java!("com/amazonaws/services/lambda/crac/Core.java"),
    java!("com/amazonaws/services/lambda/crac/GlobalContext.java"),
    java!("com/amazonaws/services/lambda/crac/Resource.java"),
    java!("com/amazonaws/services/lambda/crac/RestoreException.java"),
    java!("hearth/runtime/Bean.java"),
    java!("hearth/runtime/Binding.java"),
    java!("hearth/runtime/Contexts.java"),
    java!("hearth/runtime/Fault.java"),
    java!("hearth/runtime/FunctionLoader.java"),
    java!("hearth/runtime/Handler.java"),
    java!("hearth/runtime/Handlers.java"),
    java!("hearth/runtime/Json.java"),
    java!("hearth/runtime/Log.java"),
    java!("hearth/runtime/Main.java"),
    java!("hearth/runtime/RuntimeApi.java"),
    java!("hearth/runtime/SnapStart.java"),
];

/// The written clients.
#[derive(Clone, Debug)]
pub struct Clients {
    directory: PathBuf,
}

impl Clients {
    /// Writes the clients beneath `cache`, in a directory named after their content, unless they are there.
    pub fn write(cache: &Path) -> io::Result<Self> {
        let directory = cache.join("clients").join(digest());
        for file in FILES {
            let path = directory.join(folder(file.family)).join(file.name);
            if !std::fs::read(&path).is_ok_and(|there| there == file.text.as_bytes()) {
                files::write_atomically(&path, file.text.as_bytes())?;
            }
        }
        files::create_readable_directory(&directory.join("empty"))?;
        files::create_readable_directory(&directory.join("python").join("__pycache__"))?;
        Ok(Self { directory })
    }

    /// The directory with `family`'s client.
    pub fn directory(&self, family: Family) -> PathBuf {
        self.directory.join(folder(family))
    }

    /// Whether Python's client is byte-compiled for `interpreter`.
    pub fn is_compiled(&self, interpreter: &Interpreter) -> bool {
        let Version { major, minor, .. } = interpreter.version;
        let cache = self.directory(Family::Python).join("__pycache__");
        cache.join(format!("hearth_runtime_client.cpython-{major}{minor}.pyc")).exists()
    }

    /// Byte-compiles Python's client for `interpreter`: sandboxes cannot write, and compiling it at each start would
    /// take longer than everything else.
    pub fn compile(&self, interpreter: &Interpreter) {
        let source = self.directory(Family::Python).join("hearth_runtime_client.py");
        // py_compile writes to a name of its own and renames. Unchecked: the file is named after its content.
        let script = "import py_compile, sys\n\
                      py_compile.compile(sys.argv[1], doraise=True, dfile='/var/runtime/hearth_runtime_client.py',\n\
                      invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";
        let mut command = Command::new(&interpreter.executable);
        command.args(["-I", "-S", "-c", script]).arg(&source).stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => {}
            // It starts without; only slower.
            Ok(output) => tracing::warn!(status = %output.status, "runtime client not byte-compiled"),
            Err(error) => tracing::warn!(%error, "runtime client not byte-compiled"),
        }
    }

    /// Where Java's client is once it is compiled.
    pub fn java_classes(&self) -> PathBuf {
        self.directory(Family::Java).join("classes")
    }

    /// Compiles Java's client, unless it is, with whichever of `javas` can. Whether it is compiled then.
    pub fn compile_java<'a>(&self, javas: impl Iterator<Item = &'a Interpreter>) -> bool {
        let directory = self.directory(Family::Java);
        let sources: Vec<PathBuf> = FILES
            .iter()
            .filter(|file| file.family == Family::Java)
            .map(|file| directory.join(file.name))
            .collect();
        let classes = self.java_classes();
        let mut compiled = classes.is_dir();
        for interpreter in javas {
            if compiled {
                break;
            }
            match java::compile(interpreter, &sources, &classes) {
                Ok(()) => compiled = true,
                Err(reason) => {
                    let java = interpreter.executable.display();
                    tracing::warn!(%java, %reason, "Java runtime client not compiled");
                }
            }
        }
        compiled
    }

    /// A directory with nothing in it, to hide others with.
    pub fn empty(&self) -> PathBuf {
        self.directory.join("empty")
    }
}

fn folder(family: Family) -> &'static str {
    match family {
        Family::Python => "python",
        Family::Node => "nodejs",
        Family::Java => "java",
        Family::Ruby => "ruby",
        Family::DotNet | Family::Provided => "none",
    }
}

fn digest() -> String {
    let mut hash = Sha256::new();
    for file in FILES {
        hash.update(file.name);
        hash.update(file.text.len().to_le_bytes());
        hash.update(file.text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
