//! The operator's own key, made at the first start with `--auth` and kept in the data directory.
//!
//! The file has the form of an AWS credentials file, so that it can be used as it is.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use server::config::{DataLocation, RootCredentials};

/// Where the key of a data directory is kept.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("credentials")
}

/// The key that is there, or a new one.
pub fn read_or_create(data: &DataLocation) -> anyhow::Result<RootCredentials> {
    let DataLocation::Directory(dir) = data else {
        anyhow::bail!(
            "--auth with --ephemeral has nowhere to keep a key: set HEARTH_ROOT_ACCESS_KEY_ID and \
             HEARTH_ROOT_SECRET_ACCESS_KEY"
        );
    };
    let file = path(dir);
    if file.exists() {
        return read(&file);
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("create {}", dir.display()))?;
    let key = generate()?;
    let temporary = file.with_extension("new");
    let mut new =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    write!(
        new,
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.access_key_id, key.secret_access_key
    )?;
    new.sync_all()?;
    fs::rename(&temporary, &file).with_context(|| format!("write {}", file.display()))?;
    Ok(key)
}

/// Reads a key in the form of an AWS credentials file.
pub fn read(file: &Path) -> anyhow::Result<RootCredentials> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .with_context(|| format!("{} has no {name}", file.display()))
    };
    Ok(RootCredentials {
        access_key_id: value("aws_access_key_id")?,
        secret_access_key: value("aws_secret_access_key")?,
    })
}

fn generate() -> anyhow::Result<RootCredentials> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = [0u8; 46];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness for a key: {error}"))?;
    let (id, secret) = random.split_at(16);
    let id: String = id.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(RootCredentials { access_key_id: format!("AKIA{id}"), secret_access_key: STANDARD.encode(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataLocation::Directory(dir.path().join("data"));
        let made = read_or_create(&data).unwrap();
        assert_eq!((made.access_key_id.len(), made.secret_access_key.len()), (20, 40));
        assert_eq!(read_or_create(&data).unwrap(), made);
    }
}
