//! `hearth aws …`: the installed AWS CLI, with what it needs to find Hearth.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::client::Target;

/// Run the installed AWS CLI with endpoint, region and credentials filled in.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Aws {
    /// What to pass to `aws`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Aws {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let target = Target::from_environment()?;
        let mut aws = Command::new("aws");
        // The flag, and not only AWS_ENDPOINT_URL: versions before 2.13 and 1.29 do not read the variable.
        if !self.arguments.iter().any(|argument| argument.to_string_lossy().starts_with("--endpoint-url")) {
            aws.arg("--endpoint-url").arg(&target.endpoint);
        }
        let error = aws
            .args(&self.arguments)
            .env("AWS_ENDPOINT_URL", &target.endpoint)
            .env("AWS_ACCESS_KEY_ID", &target.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &target.secret_access_key)
            .env("AWS_DEFAULT_REGION", &target.region)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .exec();
        if error.kind() == std::io::ErrorKind::NotFound {
            anyhow::bail!(
                "there is no `aws` on PATH. Install the AWS CLI, for example with `pip install awscli`, and try again."
            );
        }
        Err(anyhow::Error::new(error).context("run aws"))
    }
}
