//! Names of entries, and targets of links: what may be made on disk.

use super::PackageError;

/// The longest path inside a package, in bytes: with the data directory in front it must fit `PATH_MAX` (4,096).
const PATH_BYTES_MAX: usize = 3_072;
/// The longest component of a path, in bytes (`NAME_MAX`).
const COMPONENT_BYTES_MAX: usize = 255;
/// The longest target of a link, in bytes (`PATH_MAX` with its final zero).
pub(super) const TARGET_BYTES_MAX: usize = 4_095;
/// Directories of the sandbox that are the function's own: an absolute link may point at them and into them.
const OWN_DIRECTORIES: [&str; 4] = ["/tmp", "/opt", "/var/task", "/mnt"];

/// The path of an entry relative to the package's root, in one spelling: no `.`, no empty component, no slash at
/// either end. Empty for the root itself.
pub(super) fn normalise(name: &str) -> Result<String, PackageError> {
    let refuse = |why| Err(PackageError::refused(name, why));
    if name.starts_with('/') {
        return refuse("is an absolute path");
    }
    if name.contains('\\') {
        return refuse("has a backslash in its path; make the zip with forward slashes");
    }
    if name.contains('\0') {
        return refuse("has a zero byte in its name");
    }
    let mut path = String::with_capacity(name.len());
    for component in name.split('/') {
        match component {
            "" | "." => continue,
            ".." => return refuse("leads outside the package"),
            long if long.len() > COMPONENT_BYTES_MAX => return refuse("has a name longer than 255 bytes"),
            _ => {}
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(component);
    }
    if path.len() > PATH_BYTES_MAX {
        return refuse("has a path longer than 3072 bytes");
    }
    Ok(path)
}

/// Whether a link at `path` may point at `target`.
pub(super) fn check_target(path: &str, target: &str) -> Result<(), PackageError> {
    let refuse = |why| Err(PackageError::refused(path, why));
    if target.is_empty() || target.contains('\0') || target.len() > TARGET_BYTES_MAX {
        return refuse("is a symbolic link without a usable target");
    }
    let inside = if target.starts_with('/') {
        is_own_directory(target)
    } else {
        // A link stands in its parent directory: that many levels may be climbed.
        let depth = path.matches('/').count();
        climbs_at_most(target, depth)
    };
    if inside { Ok(()) } else { refuse("is a symbolic link that leads outside the package") }
}

fn is_own_directory(target: &str) -> bool {
    let own = OWN_DIRECTORIES.iter().find_map(|directory| target.strip_prefix(directory));
    own.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && climbs_at_most(rest, 0))
}

/// Whether no step of `target` is more than `depth` levels above where it starts. Judged by spelling alone: `..` after
/// a linked directory may lead elsewhere than it seems, but that happens in the sandbox, which holds nothing else.
fn climbs_at_most(target: &str, depth: usize) -> bool {
    let mut level = depth;
    target.split('/').all(|component| match component {
        "" | "." => true,
        ".." => match level.checked_sub(1) {
            Some(above) => {
                level = above;
                true
            }
            None => false,
        },
        _ => {
            level += 1;
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (name, path) in [
            ("index.py", "index.py"),
            ("a/b/c.py", "a/b/c.py"),
            ("./a//b/./c", "a/b/c"),
            ("a/", "a"),
            ("./", ""),
            ("...", "..."),
            ("a..b/..c", "a..b/..c"),
            ("naïve/ünï.py", "naïve/ünï.py"),
        ] {
            assert_eq!(normalise(name).as_deref(), Ok(path), "{name:?}");
        }
    }

    #[test]
    fn a_path_that_could_leave_the_package_is_refused() {
        let long = "x".repeat(256);
        let deep = "d/".repeat(1_600);
        for name in
            ["/etc/passwd", "../a", "a/../b", "a/..", "..", "..\\a", "C:\\a", "a\0b", "//a", &long, &deep]
        {
            assert!(matches!(normalise(name), Err(PackageError::Refused { .. })), "{name:?}");
        }
    }

    #[track_caller]
    fn check_link(path: &str, target: &str, accepted: bool) {
        assert_eq!(check_target(path, target).is_ok(), accepted, "{path:?} → {target:?}");
    }

    #[test]
    fn a_link_may_lead_anywhere_inside_its_package() {
        check_link("lib64", "lib", true);
        check_link("a/b/link", "../../c", true);
        check_link("a/b/link", "../b/./link2", true);
        check_link("link", "a/../b", true);
    }

    #[test]
    fn a_link_may_lead_to_the_functions_own_directories() {
        check_link(".cache", "/tmp", true);
        check_link(".cache", "/tmp/cache", true);
        check_link("lib", "/opt/lib/../lib2", true);
        check_link("self", "/var/task/x", true);
    }

    #[test]
    fn a_link_that_leads_outside_is_refused() {
        let long = "x/".repeat(2_048);
        check_link("link", "..", false);
        check_link("link", "../other", false);
        check_link("a/link", "../../x", false);
        check_link("a/link", "b/../../../x", false);
        check_link("link", "/etc/passwd", false);
        check_link("link", "/tmpfoo", false);
        check_link("link", "/tmp/../etc", false);
        check_link("link", "/", false);
        check_link("link", "", false);
        check_link("link", "a\0b", false);
        check_link("link", &long, false);
    }
}
