//! What kind of function a folder holds, and where its handler is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::Family;

/// What a folder holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Detected {
    /// Of which runtimes one can run it.
    pub family: Family,
    /// `module.function`; none where only a person can know.
    pub handler: Option<String>,
    /// An archive that is the package already, in the place of the folder.
    pub archive: Option<PathBuf>,
}

/// Files that are a function's usual entry, in the order in which they are looked for.
struct Convention {
    family: Family,
    stems: &'static [&'static str],
    extensions: &'static [&'static str],
    /// What a handler is called there.
    functions: &'static [&'static str],
    /// Whether a file defines a function of this name.
    defines: fn(&str, &str) -> bool,
}

const CONVENTIONS: [Convention; 3] = [
    Convention {
        family: Family::Python,
        stems: &["lambda_function", "app", "main", "handler", "index", "function"],
        extensions: &["py"],
        functions: &["lambda_handler", "handler"],
        defines: |text, name| text.lines().any(|line| is_definition(line, "def", name)),
    },
    Convention {
        family: Family::Node,
        stems: &["index", "app", "main", "handler", "dist/index", "build/index"],
        extensions: &["mjs", "js", "cjs"],
        functions: &["handler", "lambdaHandler"],
        defines: exports,
    },
    Convention {
        family: Family::Ruby,
        stems: &["lambda_function", "app", "main", "handler", "function"],
        extensions: &["rb"],
        functions: &["lambda_handler", "handler"],
        defines: |text, name| text.lines().any(|line| is_definition(line, "def", name)),
    },
];

/// Sources that have to be built first, and how.
const SOURCES: [(&str, &str); 6] = [
    ("Cargo.toml", "cargo lambda build --release, then hearth deploy target/lambda/<name>"),
    ("go.mod", "CGO_ENABLED=0 go build -tags lambda.norpc -o bootstrap ."),
    ("pom.xml", "mvn package"),
    ("build.gradle", "gradle shadowJar"),
    ("build.gradle.kts", "gradle shadowJar"),
    ("tsconfig.json", "npx esbuild index.ts --bundle --platform=node --outfile=index.js, or your own build"),
];

/// Looks into a folder, for any family or for one.
pub fn detect(folder: &Path, family: Option<Family>) -> anyhow::Result<Detected> {
    let wanted = |found: &Detected| family.is_none_or(|family| family == found.family);
    let mut found: Vec<Detected> = Vec::new();
    if folder.join("bootstrap").is_file() {
        found.push(bootstrap(folder)?);
    } else {
        for convention in &CONVENTIONS {
            found.extend(convention.find(folder)?);
        }
        found.extend(jar(folder)?);
    }
    found.retain(wanted);
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => bail!(
            "{} could be a function of {:?} ({}) or of {:?} ({}). Say which with --runtime and --handler.",
            folder.display(),
            one.family,
            one.handler.unwrap_or_default(),
            other.family,
            other.handler.unwrap_or_default(),
        ),
        (None, _) => Err(nothing(folder)),
    }
}

/// The family of a handler such as `src/app.main`, by the file that it names.
pub fn family_of(folder: &Path, handler: &str) -> Option<Family> {
    let (module, _) = handler.rsplit_once('.')?;
    let is_there = |extension: &&str| folder.join(format!("{module}.{extension}")).is_file();
    CONVENTIONS.iter().find(|known| known.extensions.iter().any(is_there)).map(|known| known.family)
}

impl Convention {
    fn find(&self, folder: &Path) -> anyhow::Result<Option<Detected>> {
        let Some((module, file)) = self.entry(folder) else { return Ok(None) };
        let text = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let text = String::from_utf8_lossy(&text);
        let function = self.functions.iter().find(|name| (self.defines)(&text, name));
        let handler = function.map(|function| format!("{module}.{function}"));
        Ok(Some(Detected { family: self.family, handler, archive: None }))
    }

    /// The module that a function begins with: what `package.json` calls its main, or a usual name.
    fn entry(&self, folder: &Path) -> Option<(String, PathBuf)> {
        let named = if self.family == Family::Node { main_of(folder) } else { None };
        let stems = named.iter().map(String::as_str).chain(self.stems.iter().copied());
        stems.flat_map(|stem| self.extensions.iter().map(move |extension| (stem, extension))).find_map(
            |(stem, extension)| {
                let file = folder.join(format!("{stem}.{extension}"));
                file.is_file().then(|| (stem.to_owned(), file))
            },
        )
    }
}

/// `main` of `package.json`, without its extension.
fn main_of(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    let main = package["main"].as_str()?.trim_start_matches("./");
    let stem = [".mjs", ".cjs", ".js"].iter().find_map(|extension| main.strip_suffix(extension));
    Some(stem.unwrap_or(main).to_owned())
}

fn is_definition(line: &str, keyword: &str, name: &str) -> bool {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix(keyword).and_then(|rest| rest.strip_prefix(' '));
    let after = rest.and_then(|rest| rest.trim_start().strip_prefix(name));
    after.is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// Whether JavaScript exports a name: every form that people and bundlers write has both words in one statement.
fn exports(text: &str, name: &str) -> bool {
    let statements = text.split([';', '\n']).filter(|statement| statement.contains("export"));
    let is_word = |statement: &str| {
        statement.match_indices(name).any(|(at, _)| {
            let is_part = |character: Option<char>| {
                character.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
            };
            !is_part(statement[..at].chars().next_back())
                && !is_part(statement[at + name.len()..].chars().next())
        })
    };
    statements.into_iter().any(is_word)
}

fn bootstrap(folder: &Path) -> anyhow::Result<Detected> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("bootstrap");
    let mode = std::fs::metadata(&file).with_context(|| format!("look at {}", file.display()))?.permissions();
    if mode.mode() & 0o111 == 0 {
        bail!("{} is not executable; chmod +x {}", file.display(), file.display());
    }
    Ok(Detected { family: Family::Provided, handler: Some("bootstrap".to_owned()), archive: None })
}

/// The one archive that a Java build leaves, where it usually does.
fn jar(folder: &Path) -> anyhow::Result<Option<Detected>> {
    for place in ["", "target", "build/libs"] {
        let Ok(entries) = std::fs::read_dir(folder.join(place)) else { continue };
        let mut jars: Vec<PathBuf> = (entries.filter_map(Result::ok))
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "jar") && !is_by_product(path)
            })
            .collect();
        jars.sort();
        match jars.as_slice() {
            [] => {}
            [one] => {
                return Ok(Some(Detected {
                    family: Family::Java,
                    handler: None,
                    archive: Some(one.clone()),
                }));
            }
            [one, other, ..] => bail!(
                "which of {} and {} is the function? Deploy it by name: hearth deploy {}",
                one.display(),
                other.display(),
                one.display()
            ),
        }
    }
    Ok(None)
}

fn is_by_product(jar: &Path) -> bool {
    let name = jar.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ends = ["-sources.jar", "-javadoc.jar", "-tests.jar", "-plain.jar"];
    name.starts_with("original-") || ends.iter().any(|end| name.ends_with(end))
}

fn nothing(folder: &Path) -> anyhow::Error {
    let shown = folder.display();
    if let Some((source, build)) = SOURCES.iter().find(|(source, _)| folder.join(source).is_file()) {
        return anyhow::anyhow!(
            "{shown} has a {source} and nothing that can run yet. Build it first: {build}"
        );
    }
    anyhow::anyhow!(
        "there is no function in {shown}: no index.mjs, app.js, lambda_function.py, app.py, lambda_function.rb, \
         bootstrap or jar. Say what it is with --runtime and --handler."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let seen = match detect(folder.path(), None) {
            Ok(found) => {
                let archive = found.archive.map(|path| path.strip_prefix(folder.path()).unwrap().to_owned());
                let archive = archive.map(|path| format!(" {}", path.display())).unwrap_or_default();
                format!("{:?} {}{archive}", found.family, found.handler.as_deref().unwrap_or("?"))
            }
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "DIR"),
        };
        assert!(seen.contains(expected), "{seen}");
    }

    #[test]
    fn a_folder_shows_what_it_is() {
        let python = "import os\n\nasync def lambda_handler(event, context):\n    pass\n";
        check(&[("lambda_function.py", python)], "Python lambda_function.lambda_handler");
        check(&[("app.py", "def handler(event, context): pass")], "Python app.handler");
        check(&[("app.py", "def handler_of(event): pass")], "Python ?");
        check(&[("index.mjs", "export const handler = async () => 1;")], "Node index.handler");
        check(&[("index.js", "exports.lambdaHandler = async () => 1")], "Node index.lambdaHandler");
        check(&[("app.js", "module.exports = { handler };")], "Node app.handler");
        check(&[("index.mjs", "const handlers = 1; export { handlers };")], "Node ?");
        check(
            &[("package.json", r#"{"main": "./src/main.cjs"}"#), ("src/main.cjs", "exports.handler = f")],
            "Node src/main.handler",
        );
        check(&[("app.rb", "def lambda_handler(event:, context:)\nend")], "Ruby app.lambda_handler");
        check(
            &[("pom.xml", ""), ("target/f-1.jar", ""), ("target/f-1-sources.jar", "")],
            "Java ? target/f-1.jar",
        );
    }

    #[test]
    fn what_is_not_clear_is_said() {
        check(&[("index.mjs", "export const handler = 1"), ("app.py", "def handler(): 1")], "Say which with");
        check(&[("target/a.jar", ""), ("target/b.jar", "")], "Deploy it by name");
        check(&[("Cargo.toml", "")], "DIR has a Cargo.toml and nothing that can run yet");
        check(&[("index.ts", ""), ("tsconfig.json", "")], "esbuild");
        check(&[("bootstrap", "")], "chmod +x");
        check(&[("README.md", "")], "there is no function in DIR");
    }

    #[test]
    fn a_handler_tells_its_family() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.py"), "").unwrap();
        assert_eq!(family_of(folder.path(), "x.run"), Some(Family::Python));
        assert_eq!(family_of(folder.path(), "y.run"), None);
    }
}
