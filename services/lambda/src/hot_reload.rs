//! Code that is a folder on this machine: the bucket `hot-reload`, with the folder's path as the key.
//!
//! Only where the server was started with folders that it may be in. Each invocation runs it as it is then; that is the
//! engine's business.

use std::path::{Path, PathBuf};

use domain::CodeRef;
use wire::Error;

use crate::error::invalid_parameter;
use crate::record::Code;

/// The bucket that no bucket of S3 can be: it stands for this machine.
pub const BUCKET: &str = "hot-reload";

const NOT_ALLOWED: &str =
    "Hearth runs code from folders only when it is started with --hot-reload DIR, where DIR holds them.";

/// Which folders may be code.
#[derive(Clone, Debug, Default)]
pub struct HotReload {
    /// Those in these, by their real paths.
    pub roots: Vec<PathBuf>,
    /// Hearth's own, which no function may see, wherever they lie.
    pub own: Vec<PathBuf>,
}

/// What a request says of where its code is.
pub struct Asked<'a> {
    /// `S3Bucket`
    pub bucket: Option<&'a str>,
    /// `S3Key`
    pub key: Option<&'a str>,
    /// `S3ObjectVersion`
    pub version: Option<&'a str>,
    /// Whether there is a `ZipFile`.
    pub has_zip: bool,
}

impl HotReload {
    /// The folder that a request asks for; none if it asks for none.
    pub fn code(&self, asked: &Asked<'_>) -> Result<Option<Code>, Error> {
        if asked.bucket != Some(BUCKET) {
            return Ok(None);
        }
        if asked.has_zip {
            return Err(invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ));
        }
        if self.roots.is_empty() {
            return Err(invalid_parameter(NOT_ALLOWED));
        }
        let key = asked.key.unwrap_or_default();
        if asked.version.is_some_and(|version| !version.is_empty()) || !key.starts_with('/') {
            return Err(invalid_parameter(
                "Code from a folder is S3Bucket 'hot-reload' and the folder's absolute path as S3Key, without a version.",
            ));
        }
        let folder = self.folder(Path::new(key)).map_err(invalid_parameter)?;
        let code = CodeRef::of_folder(&folder);
        let code = code.ok_or_else(|| invalid_parameter("The folder's real path is not UTF-8."))?;
        Ok(Some(Code { sha256: code, size: 0, unpacked_size: 0, signed_by: None }))
    }

    /// Why code that was accepted may not run now, if so: the server may have been started with other folders since.
    pub fn refusal(&self, code: &CodeRef) -> Option<String> {
        let folder = code.folder()?;
        if self.roots.is_empty() {
            return Some(format!("its code is the folder {}. {NOT_ALLOWED}", folder.display()));
        }
        self.check_place(folder, folder).err()
    }

    fn folder(&self, named: &Path) -> Result<PathBuf, String> {
        let shown = named.display();
        let real =
            named.canonicalize().map_err(|error| format!("The folder {shown} cannot be opened: {error}"))?;
        self.check_place(named, &real)?;
        if !real.is_dir() {
            return Err(format!("{shown} is not a folder; a file is deployed as a package, with ZipFile."));
        }
        Ok(real)
    }

    fn check_place(&self, named: &Path, real: &Path) -> Result<(), String> {
        let shown = named.display();
        let is_in = |root: &PathBuf| real.starts_with(root);
        if !self.roots.iter().any(is_in) {
            let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
            return Err(format!(
                "The folder {shown} is in none of those that --hot-reload names ({}).",
                roots.join(", ")
            ));
        }
        if self.own.iter().any(|own| real.starts_with(own) || own.starts_with(real)) {
            return Err(format!("The folder {shown} holds what is Hearth's own."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_in_the_roots_can_be_code() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let path = |name: &str| base.join(name);
        for folder in ["projects/a", "projects/data/inner", "elsewhere"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::write(path("projects/file"), "").unwrap();
        std::os::unix::fs::symlink(path("elsewhere"), path("projects/out")).unwrap();
        std::os::unix::fs::symlink("a", path("projects/link")).unwrap();
        let hot_reload = HotReload { roots: vec![path("projects")], own: vec![path("projects/data")] };
        let code = |key: &str| {
            let key = path(key);
            let asked = Asked { bucket: Some(BUCKET), key: key.to_str(), version: None, has_zip: false };
            hot_reload.code(&asked).map(|code| code.unwrap().sha256.0).map_err(|error| error.message)
        };
        let a = path("projects/a").display().to_string();
        assert_eq!(code("projects/a"), Ok(a.clone()));
        assert_eq!(code("projects/../projects/link"), Ok(a));
        for (key, why) in [
            ("elsewhere", "in none of those"),
            ("projects/out", "in none of those"),
            ("projects/../elsewhere", "in none of those"),
            ("projects/data", "Hearth's own"),
            ("projects/data/inner", "Hearth's own"),
            ("projects", "Hearth's own"),
            ("projects/file", "not a folder"),
            ("projects/nothing", "cannot be opened"),
        ] {
            assert!(code(key).unwrap_err().contains(why), "{key}");
        }
    }

    #[test]
    fn nothing_is_a_folder_unless_the_operator_said_so() {
        let asked = Asked { bucket: Some(BUCKET), key: Some("/tmp"), version: None, has_zip: false };
        let refused = HotReload::default().code(&asked).unwrap_err();
        assert!(refused.message.contains("--hot-reload DIR"), "{}", refused.message);
        let other = Asked { bucket: Some("bucket"), ..asked };
        assert_eq!(HotReload::default().code(&other).unwrap(), None);
    }

    #[test]
    fn what_was_accepted_runs_as_long_as_the_operator_says_so() {
        let allowed =
            |roots: &[&str]| HotReload { roots: roots.iter().map(PathBuf::from).collect(), own: Vec::new() };
        let folder = CodeRef::of_folder(Path::new("/projects/a")).unwrap();
        assert_eq!(allowed(&["/projects"]).refusal(&folder), None);
        assert!(allowed(&["/elsewhere"]).refusal(&folder).unwrap().contains("in none of those"));
        assert!(allowed(&[]).refusal(&folder).unwrap().contains("--hot-reload DIR"));
        assert_eq!(allowed(&[]).refusal(&CodeRef("ab".repeat(32))), None);
    }
}
