//! The shared libraries that an interpreter needs beyond the base root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What [`sandbox::TemplateSpec::base`] has anyway. `/usr/local` is not among it.
const BASE: &[&str] = &[
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
];

/// A shared library of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The name that programs ask for, such as `libpython3.12.so.1.0`.
    pub name: String,
    /// Where it is on the host.
    pub path: PathBuf,
}

/// Whether the base root has `path` at the same place.
pub fn in_base(path: &Path) -> bool {
    BASE.iter().any(|directory| path.starts_with(directory))
}

/// The libraries that `executable` and the extension modules beneath `modules` are linked to and the base lacks.
///
/// The dynamic linker is asked, because it alone knows all of its rules. Without `ldd` there is nobody to ask, and
/// nothing is added.
pub fn needed(executable: &Path, modules: &[PathBuf]) -> Vec<Library> {
    let extensions = modules.iter().flat_map(|directory| extension_modules(directory));
    let output = Command::new("ldd").arg(executable).args(extensions).stdin(Stdio::null()).output();
    match output {
        Ok(output) => beyond_base(&String::from_utf8_lossy(&output.stdout)),
        Err(error) => {
            tracing::debug!(%error, executable = %executable.display(), "ldd cannot be run");
            Vec::new()
        }
    }
}

fn extension_modules(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory.join("lib-dynload")) else { return Vec::new() };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
        .collect()
}

fn beyond_base(ldd: &str) -> Vec<Library> {
    let mut libraries: Vec<Library> = ldd
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(" => ")?;
            let path = Path::new(rest.rsplit_once(" (")?.0);
            (path.is_absolute() && !in_base(path))
                .then(|| Library { name: name.to_owned(), path: path.to_owned() })
        })
        .collect();
    libraries.sort_by(|a, b| a.name.cmp(&b.name));
    libraries.dedup_by(|a, b| a.name == b.name);
    libraries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_that_the_base_lacks_are_taken_once() {
        let ldd = "/home/sam/python3:\n\tlinux-vdso.so.1 (0x00007ffd)\n\tlibpython3.12.so.1.0 => /home/sam/lib/libpython3.12.so.1.0 (0x00007f)\n\
                   \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\tlibmissing.so => not found\n\
                   /home/sam/_ssl.so:\n\tlibpython3.12.so.1.0 => /home/sam/lib/libpython3.12.so.1.0 (0x00007f)\n\
                   \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let names: Vec<String> = beyond_base(ldd).into_iter().map(|library| library.name).collect();
        assert_eq!(names, ["libpython3.12.so.1.0"]);
    }

    #[test]
    fn the_base_is_the_distributions_part_of_usr() {
        assert!(in_base(Path::new("/usr/lib/x86_64-linux-gnu/libssl.so.3")));
        assert!(!in_base(Path::new("/usr/local/lib/libssl.so.3")));
        assert!(in_base(Path::new("/lib/x86_64-linux-gnu/libc.so.6")));
        assert!(!in_base(Path::new("/home/linuxbrew/lib/libssl.so.3")));
    }
}
