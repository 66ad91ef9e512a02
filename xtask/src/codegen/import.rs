//! Takes models from an unpacked botocore into `models/`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::config::Config;
use super::model::Model;

/// Reads every configured service's model beneath botocore's `data` folder and keeps what Hearth needs of it.
pub fn import(root: &Path, data: &Path, config: &Config) -> Result<()> {
    let release = release(data)?;
    for (name, service) in config {
        let folder = data.join(&service.botocore);
        let text = read_json(&folder)?;
        let mut model: Model =
            serde_json::from_str(&text).with_context(|| format!("parse {}", folder.display()))?;
        model.source = format!("botocore {release}");
        let mut trimmed = serde_json::to_string_pretty(&model)?;
        trimmed.push('\n');
        let path = root.join("models").join(format!("{name}.json"));
        fs::write(&path, trimmed).with_context(|| format!("write {}", path.display()))?;
        println!("models/{name}.json: {} operations", model.operations.0.len());
    }
    Ok(())
}

/// The release is in the package's `__init__.py`, next to `data`.
fn release(data: &Path) -> Result<String> {
    let path = data.parent().unwrap_or(data).join("__init__.py");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    Ok(line
        .with_context(|| format!("no __version__ in {}", path.display()))?
        .trim_matches(['\'', '"'])
        .to_owned())
}

fn read_json(folder: &Path) -> Result<String> {
    let plain = folder.join("service-2.json");
    if plain.exists() {
        return Ok(fs::read_to_string(plain)?);
    }
    // Wheels hold it compressed.
    let compressed = folder.join("service-2.json.gz");
    let output =
        std::process::Command::new("gzip").arg("-dc").arg(&compressed).output().context("run gzip")?;
    ensure!(output.status.success(), "gzip -dc {}: {}", compressed.display(), output.status);
    Ok(String::from_utf8(output.stdout)?)
}
