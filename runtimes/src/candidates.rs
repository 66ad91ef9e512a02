//! Where interpreters may be on a host. Looking is cheap; whether a candidate is one is the probe's business.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use domain::Family;

use crate::fetch;
use crate::table::{self, Language};

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Directories of programs, in order.
    pub path: Vec<PathBuf>,
    /// The home directory of whoever started Hearth.
    pub home: Option<PathBuf>,
    /// Their environment variables, for the version managers that are told by one where they keep things.
    pub variables: BTreeMap<String, PathBuf>,
    /// Put before absolute places; `/` but for tests.
    pub root: PathBuf,
}

impl Search {
    /// The whole of this machine, as whoever started Hearth sees it: `sudo hearth up` finds the interpreters of the
    /// person who typed it.
    pub fn host() -> Self {
        let variables: BTreeMap<String, PathBuf> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, PathBuf::from(value))))
            .collect();
        let mut path: Vec<PathBuf> =
            variables.get("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        path.extend(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
        let invoker = variables.get("SUDO_USER").and_then(|user| home_of(user.to_str()?));
        let home = invoker.or_else(|| variables.get("HOME").cloned());
        Self { path, home, variables, root: PathBuf::from("/") }
    }

    /// Every file that may be an interpreter, each once, in the order of preference; `cache_dir` has those that were
    /// fetched.
    pub(crate) fn candidates(&self, cache_dir: &Path) -> Vec<(Family, PathBuf)> {
        let mut seen = HashSet::new();
        table::languages()
            .flat_map(|(family, language)| {
                let fetched = expand(&fetch::pattern(family, cache_dir));
                self.of(language).chain(fetched).map(move |path| (family, path))
            })
            .filter_map(|(family, path)| Some((family, std::fs::canonicalize(path).ok()?)))
            .filter(|(_, path)| path.is_file() && seen.insert(path.clone()))
            .collect()
    }

    fn of<'a>(&'a self, language: &'a Language) -> impl Iterator<Item = PathBuf> + 'a {
        let programs = self.path.iter().filter(|directory| directory.is_absolute());
        let programs =
            programs.flat_map(|directory| language.programs.iter().map(move |name| directory.join(name)));
        let places = language.places.iter().filter_map(|place| self.rooted(place));
        programs.chain(places.flat_map(|pattern| expand(&pattern)))
    }

    fn rooted(&self, place: &str) -> Option<PathBuf> {
        if let Some(rest) = place.strip_prefix("~/") {
            return Some(self.home.as_ref()?.join(rest));
        }
        if let Some(rest) = place.strip_prefix('$') {
            let (name, rest) = rest.split_once('/')?;
            let directory = self.variables.get(name).filter(|directory| directory.is_absolute())?;
            return Some(directory.join(rest));
        }
        Some(self.root.join(place.trim_start_matches('/')))
    }
}

/// The paths that `pattern` stands for: a component `*` is every directory there.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::new()];
    for component in pattern.components() {
        if component == Component::Normal("*".as_ref()) {
            paths = paths.iter().flat_map(|path| directories(path)).collect();
        } else {
            paths.iter_mut().for_each(|path| path.push(component));
        }
    }
    paths
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut directories: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    directories.sort();
    directories
}

/// A user's home directory, from the user database.
fn home_of(user: &str) -> Option<PathBuf> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    home_in(&users, user)
}

fn home_in(users: &str, user: &str) -> Option<PathBuf> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields
        .into_iter()
        .find(|fields| fields.first() == Some(&user))
        .and_then(|fields| fields.get(5).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_searches_the_home_of_whoever_typed_it() {
        let users = "root:x:0:0:root:/root:/bin/bash\nsam:x:1000:1000::/home/sam:/bin/sh\n";
        assert_eq!(home_in(users, "sam"), Some(PathBuf::from("/home/sam")));
        assert_eq!(home_in(users, "eve"), None);
    }

    #[test]
    fn version_managers_are_searched_under_the_home_their_variable_and_the_root() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let search = Search {
            home: Some(root.join("home")),
            variables: BTreeMap::from([("PYENV_ROOT".to_owned(), root.join("pyenv"))]),
            root: root.clone(),
            path: vec![root.join("bin"), PathBuf::from("relative")],
        };
        let expected = [
            "bin/python3.12",
            "pyenv/versions/3.11.7/bin/python3",
            "home/.local/share/uv/python/cpython-3.14/bin/python3",
            "opt/python-3.9/bin/python3",
            "home/.nvm/versions/node/v20.1.0/bin/node",
            "home/.nvm/versions/node/v22.1.0/bin/node",
            "cache/interpreters/nodejs/24.1.0/bin/node",
        ];
        for file in expected {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let found: Vec<PathBuf> =
            search.candidates(&root.join("cache")).into_iter().map(|(_, path)| path).collect();
        assert_eq!(found, expected.map(|file| root.join(file)));
    }

    #[test]
    fn a_program_reached_by_two_names_is_one_candidate() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::fs::write(root.join("python3.12"), "").unwrap();
        std::os::unix::fs::symlink("python3.12", root.join("python3")).unwrap();
        let search = Search { path: vec![root.clone()], root: root.clone(), ..Search::default() };
        assert_eq!(search.candidates(&root.join("cache")), [(Family::Python, root.join("python3.12"))]);
    }
}
