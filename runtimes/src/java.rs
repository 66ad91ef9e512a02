//! What is Java's own: what a JDK's directory leads to, compiling the client, and the virtual machine's options.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::files;
use crate::interpreter::Interpreter;
use crate::libraries;
use crate::tools;

/// The client speaks the language and the library of this version, the oldest that it serves.
const RELEASE: &str = "11";

/// Compiles the client's `sources` into `classes` with the compiler of `java`: JDKs have one, and so has what many
/// distributions call a JRE.
pub fn compile(java: &Interpreter, sources: &[PathBuf], classes: &Path) -> Result<(), String> {
    let partial = classes.with_file_name(files::partial_name());
    let mut compiler = tools::command(&java.executable);
    compiler.env_remove("JAVA_TOOL_OPTIONS").env_remove("JDK_JAVA_OPTIONS");
    // By its module and not as `javac`: that program is in another package than the compiler. Not --release, which
    // needs a file of that package.
    compiler.args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "-source", RELEASE, "-target", RELEASE]);
    compiler
        .args(["-nowarn", "-Xlint:-options", "-g", "-encoding", "UTF-8", "-d"])
        .arg(&partial)
        .args(sources);
    let outcome = match compiler.output() {
        Ok(output) if output.status.success() => match std::fs::rename(&partial, classes) {
            // Another process was faster, with the same.
            Err(_) if classes.is_dir() => Ok(()),
            outcome => outcome.map_err(|error| error.to_string()),
        },
        Ok(output) => Err(tools::reason(&output)),
        Err(error) => Err(error.to_string()),
    };
    let _ = std::fs::remove_dir_all(&partial);
    outcome
}

/// The files outside of a JDK's directory that links inside lead to: Debian keeps configuration in `/etc`.
pub fn configuration(home: &Path) -> BTreeSet<PathBuf> {
    /// The base root has these.
    const CERTIFICATES: [&str; 2] = ["/etc/ssl", "/etc/pki"];
    let mut found = BTreeSet::new();
    for directory in ["conf", "conf/security", "conf/management", "conf/sdp", "lib", "lib/security"] {
        let directory = home.join(directory);
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let links = entries.filter_map(|entry| entry.ok()?.path().read_link().ok());
        let targets = links.map(|link| normal(&directory.join(link)));
        found.extend(targets.filter(|target| {
            let inside = libraries::in_base(target) || target.starts_with(home);
            let certificates = CERTIFICATES.iter().any(|directory| target.starts_with(directory));
            !inside && !certificates && target.is_file()
        }));
    }
    found
}

/// The path without `..`, as a link's text means it.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => drop(normal.pop()),
            component => normal.push(component),
        }
        normal
    })
}

/// AWS's options: 85 % of the memory for the heap, the small collector, and the compiler that is ready soon.
pub fn options(memory_mib: u32, classes: &str) -> Vec<String> {
    let heap_kib = (u64::from(memory_mib) * 1024 * 85).div_ceil(100);
    let mut options = vec![format!("-XX:MaxHeapSize={heap_kib}k")];
    let fixed = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        // It would keep a file in the function's /tmp up to date.
        "-XX:-UsePerfData",
        "-Djava.net.preferIPv4Stack=true",
        // Where the library of SnapStart's hooks, which a function brings, looks for whoever runs them.
        "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac",
        "-cp",
        classes,
        "hearth.runtime.Main",
    ];
    options.extend(fixed.map(str::to_owned));
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_links_of_a_jdk_lead_to_are_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for directory in ["jdk/conf/security", "jdk/lib", "etc"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["etc/java.security", "etc/jvm.cfg", "jdk/lib/inside"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let links = [
            ("../../../etc/java.security", "jdk/conf/security/java.security"),
            ("../../etc/jvm.cfg", "jdk/lib/jvm.cfg"),
            ("inside", "jdk/lib/link"),
            ("../../etc/missing", "jdk/lib/broken"),
        ];
        for (target, link) in links {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let expected = ["etc/java.security", "etc/jvm.cfg"].map(|file| root.join(file));
        assert_eq!(configuration(&root.join("jdk")), BTreeSet::from(expected));
    }

    #[test]
    fn the_heap_is_sized_by_the_functions_memory() {
        assert_eq!(options(512, "/classes")[0], "-XX:MaxHeapSize=445645k");
    }
}
