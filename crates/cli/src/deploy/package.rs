//! A folder as a deployment package: the same files always give the same bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::limits::ZIP_BYTES;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What stays behind wherever it lies: it belongs to tools and not to the function.
const LEFT: [&str; 13] = [
    ".aws-sam",
    ".DS_Store",
    ".git",
    ".hg",
    ".idea",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".serverless",
    ".svn",
    ".terraform",
    ".venv",
    ".vscode",
];

/// A package, and what is in it.
pub struct Package {
    /// The zip.
    pub zip: Vec<u8>,
    /// How many files it has.
    pub files: usize,
}

enum Entry {
    File { path: PathBuf, mode: u32 },
    Link { target: String },
}

/// Packs a folder. Links that stay inside it stay links; what others point to is packed in their place.
pub fn pack(folder: &Path) -> anyhow::Result<Package> {
    let root = folder.canonicalize().with_context(|| format!("open {}", folder.display()))?;
    let mut entries = BTreeMap::new();
    gather(&root, &root, "", &mut vec![root.clone()], &mut entries)?;
    if entries.is_empty() {
        bail!("{} has no files", folder.display());
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let files = entries.len();
    for (name, entry) in entries {
        // No times: unchanged files make an unchanged package.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        match entry {
            Entry::File { path, mode } => {
                zip.start_file(name, options.unix_permissions(mode))?;
                zip.write_all(&std::fs::read(&path).with_context(|| format!("read {}", path.display()))?)?;
            }
            Entry::Link { target } => zip.add_symlink(name, target, options)?,
        }
    }
    let zip = zip.finish()?.into_inner();
    check_size(zip.len() as u64)?;
    Ok(Package { zip, files })
}

/// Takes an archive as it is.
pub fn take(archive: &Path) -> anyhow::Result<Package> {
    let zip = std::fs::read(archive).with_context(|| format!("read {}", archive.display()))?;
    check_size(zip.len() as u64)?;
    Ok(Package { zip, files: 1 })
}

fn check_size(bytes: u64) -> anyhow::Result<()> {
    if bytes > ZIP_BYTES {
        bail!(
            "the package has {} MB; Lambda takes {} MB. Leave out what the function does not need at run time, such as \
             development dependencies, or move some of it into a layer.",
            bytes.div_ceil(1024 * 1024),
            ZIP_BYTES / (1024 * 1024)
        );
    }
    Ok(())
}

fn gather(
    root: &Path,
    folder: &Path,
    prefix: &str,
    open: &mut Vec<PathBuf>,
    entries: &mut BTreeMap<String, Entry>,
) -> anyhow::Result<()> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for item in listed {
        let item = item.with_context(|| format!("list {}", folder.display()))?;
        let (path, name) = (item.path(), item.file_name());
        let Some(name) = name.to_str() else {
            bail!("{} has a name that is not UTF-8, which no package can have", path.display());
        };
        if is_left(name) {
            continue;
        }
        let name = format!("{prefix}{name}");
        let is_link = item.file_type()?.is_symlink();
        if let Some(target) = is_link.then(|| inner_target(root, &path)).flatten() {
            entries.insert(name, Entry::Link { target });
            continue;
        }
        let found = std::fs::metadata(&path)
            .with_context(|| format!("{} points to nothing; remove it, or what it is for", path.display()))?;
        if found.is_dir() {
            let real = path.canonicalize()?;
            if open.contains(&real) {
                bail!("{} leads back to a folder that it lies in", path.display());
            }
            open.push(real);
            gather(root, &path, &format!("{name}/"), open, entries)?;
            open.pop();
        } else if found.is_file() {
            let mode = if found.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
            entries.insert(name, Entry::File { path, mode });
        }
        // Sockets, pipes and devices are nothing that a package can hold.
    }
    Ok(())
}

fn is_left(name: &str) -> bool {
    LEFT.contains(&name) || name == "__pycache__" || name.ends_with(".pyc")
}

/// The target of a link that is relative and stays beneath the root.
fn inner_target(root: &Path, link: &Path) -> Option<String> {
    let target = std::fs::read_link(link).ok()?;
    let stays = target.is_relative() && link.canonicalize().ok()?.starts_with(root);
    // On the way it must not leave the root either.
    let depth = link.parent()?.strip_prefix(root).ok()?.components().count();
    let ups = target.components().filter(|part| *part == std::path::Component::ParentDir).count();
    (stays && ups <= depth).then(|| target.to_str().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(package: Package) -> Vec<String> {
        let mut archive = zip::ZipArchive::new(Cursor::new(package.zip)).unwrap();
        (0..archive.len())
            .map(|index| {
                let entry = archive.by_index(index).unwrap();
                format!("{} {:o}", entry.name().unwrap(), entry.unix_mode().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_package_has_what_runs_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        };
        for name in
            ["app.py", "lib/x.py", "node_modules/m/index.js", ".git/HEAD", "lib/__pycache__/x.pyc", ".env"]
        {
            write(name);
        }
        std::fs::set_permissions(folder.path().join("app.py"), std::fs::Permissions::from_mode(0o700))
            .unwrap();
        std::os::unix::fs::symlink("../m/index.js", folder.path().join("node_modules/m/self")).unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("shared.py"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).unwrap();
        let first = pack(folder.path()).unwrap();
        assert_eq!(first.zip, pack(folder.path()).unwrap().zip);
        assert_eq!(
            names(first),
            [
                ".env 100644",
                "app.py 100755",
                "lib/x.py 100644",
                "linked/shared.py 100644",
                "node_modules/m/index.js 100644",
                "node_modules/m/self 120777",
            ]
        );
    }

    #[test]
    fn a_folder_that_contains_itself_and_an_empty_one_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(pack(folder.path()).err().unwrap().to_string().contains("has no files"));
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/back")).unwrap();
        assert!(pack(folder.path()).err().unwrap().to_string().contains("leads back"));
    }
}
