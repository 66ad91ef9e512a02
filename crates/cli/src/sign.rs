//! `hearth sign`

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use domain::{Clock as _, SystemClock};
use lambda::signature::{PrivateKey, sign};

/// Sign a deployment package, for functions with a code signing configuration.
#[derive(Args)]
pub struct Sign {
    /// The package: a zip file. It is signed where it is
    #[arg(value_name = "ZIP", required_unless_present = "new_key", conflicts_with = "new_key")]
    package: Option<PathBuf>,

    /// The private key: a PEM file with an Ed25519 key
    #[arg(long, value_name = "FILE", required_unless_present = "new_key")]
    key: Option<PathBuf>,

    /// The ARN of the version of the signing profile that the key is of
    #[arg(long, value_name = "ARN", required_unless_present = "new_key")]
    profile: Option<String>,

    /// How long the signature is good for, such as 90d; without it, for ever
    #[arg(long, value_name = "SPAN", value_parser = crate::duration::parse)]
    expires: Option<Duration>,

    /// Make a key: the private half goes to this file, the public half to the same with .pub behind its name
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "profile", "expires"])]
    new_key: Option<PathBuf>,
}

impl Sign {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(path) = self.new_key {
            return new_key(&path);
        }
        let (package, key) = (self.package.context("no package")?, self.key.context("no --key")?);
        let profile = self.profile.context("no --profile")?;
        let text = fs::read_to_string(&key).with_context(|| format!("read {}", key.display()))?;
        let private = PrivateKey::parse(&text)
            .with_context(|| format!("{} is not an Ed25519 private key in PEM", key.display()))?;
        let zip = fs::read(&package).with_context(|| format!("read {}", package.display()))?;
        let now = SystemClock.now();
        let expires = self.expires.map(|span| now.plus(span));
        let signed = sign(&zip, &private, &profile, now, expires)
            .map_err(|why| anyhow!("{} cannot be signed: {why}", package.display()))?;
        // A package that is half written would be none: the new one takes the old one's place as a whole.
        let beside = package.with_extension("signing");
        fs::write(&beside, signed).with_context(|| format!("write {}", beside.display()))?;
        fs::rename(&beside, &package).with_context(|| format!("replace {}", package.display()))?;
        println!("{} is signed by {profile}", package.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn new_key(path: &Path) -> anyhow::Result<ExitCode> {
    /// For its owner alone.
    const MODE: u32 = 0o600;
    let (key, private) = PrivateKey::generate().map_err(anyhow::Error::msg)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .with_context(|| format!("make {}", path.display()))?;
    file.write_all(private.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    let public = PathBuf::from(format!("{}.pub", path.display()));
    fs::write(&public, key.public().to_pem()).with_context(|| format!("write {}", public.display()))?;
    println!(
        "private key: {} (keep it)\npublic key:  {} (for hearth up --signing-profile ARN={})",
        path.display(),
        public.display(),
        public.display()
    );
    Ok(ExitCode::SUCCESS)
}
