//! The part of every template that is the same: the system's programs and libraries, and a minimal `/etc`.

use std::path::Path;

use crate::TemplateSpec;
use crate::net::SANDBOX_ADDRESS;

/// The user that functions run as, as on Lambda.
pub(crate) const USER: &str = "sbx_user1051";
pub(crate) const UID: u32 = 993;
pub(crate) const GID: u32 = 990;
/// The sandbox's host name.
pub(crate) const HOSTNAME: &str = "sandbox";

/// Programs and libraries; `/usr/local` and the rest of `/usr` stay outside.
const SYSTEM: &[&str] = &[
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/libexec",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ld.so.cache",
    "/etc/alternatives",
];
/// Links into `/usr` on merged systems, directories of their own on others.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Paths that must exist before a runtime starts: places of later mounts, and directories of `LD_LIBRARY_PATH`,
/// which the dynamic linker never looks for again once it has seen them missing.
const EMPTY: &[&str] =
    &["/var/task/lib", "/opt/lib", "/var/runtime", "/var/lang", "/mnt", "/run", "/home", "/root"];

impl TemplateSpec {
    /// What every runtime needs of the system: add the interpreter to it.
    #[must_use]
    pub fn base() -> Self {
        let mut spec = SYSTEM.iter().fold(Self::default(), Self::bind_if_present);
        for name in MERGED {
            let path = Path::new("/").join(name);
            spec = match path.read_link() {
                Ok(target) => spec.symlink(target, path),
                Err(_) => spec.bind_if_present(path),
            };
        }
        spec = EMPTY.iter().fold(spec, Self::directory);
        let home = format!("/home/{USER}");
        spec.symlink("/usr/share/zoneinfo/UTC", "/etc/localtime")
            .file(
                "/etc/passwd",
                format!("root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{UID}:{GID}::{home}:/sbin/nologin\n"),
                0o644,
            )
            .file("/etc/group", format!("root:x:0:\n{USER}:x:{GID}:\n"), 0o644)
            .file(
                "/etc/hosts",
                format!("127.0.0.1 localhost localhost.localdomain {HOSTNAME} sandbox.localdomain\n"),
                0o644,
            )
            .file("/etc/hostname", format!("{HOSTNAME}\n"), 0o644)
            .file(
                "/etc/resolv.conf",
                format!("nameserver {SANDBOX_ADDRESS}\noptions timeout:2 attempts:2\n"),
                0o644,
            )
            .file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644)
    }
}
