//! Sandboxes: everything that stands between a function and the machine it runs on.
//!
//! The server starts a small privileged process, the [`Launcher`], before it has any thread. Inside the async
//! runtime [`Launcher::connect`] gives [`Sandboxes`], which makes [`Template`]s (the read-only root of a
//! runtime) and from them [`Sandbox`]es: user, pid, mount, network, ipc and uts namespaces, cgroups, an init of
//! their own, and nothing of any function. [`Sandbox::specialise`] turns one into a function's, and
//! [`Sandbox::start`] runs a program in it as an unprivileged user behind a system call filter.
//!
//! The privileged code is all in `launcher/`; the rest runs in the server with the server's rights. What a
//! sandbox is for, and what is spoken on its sockets, is for callers.

mod base;
mod cgroup;
mod channel;
mod error;
mod launcher;
mod message;
pub mod net;
mod process;
mod sandbox;
mod sandboxes;
mod socket;
mod spawn;
mod spec;

pub use error::Error;
pub use launcher::launcher_main;
pub use process::{Dialer, Process, Signaller};
pub use sandbox::Sandbox;
pub use sandboxes::{Sandboxes, Template};
pub use spawn::{LAUNCHER_ARGUMENT, Launcher};
pub use spec::{
    Bind, Command, Cpu, Exit, File, Grant, Limits, Options, Specialisation, Stats, Strength, Symlink,
    TemplateSpec,
};

/// Lets a test binary be its own launcher: write it once at the top of an integration test, whose main function
/// belongs to the test harness and so cannot call [`launcher_main`].
#[macro_export]
macro_rules! launcher_in_tests {
    () => {
        extern "C" fn become_the_launcher_if_asked() {
            if std::env::args().nth(1).as_deref() == Some($crate::LAUNCHER_ARGUMENT) {
                $crate::launcher_main();
            }
        }
        // SAFETY: the section holds functions that run before main; this one has that type, and needs of the
        // runtime only the arguments, which Rust's own earlier entry in the section has stored.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static BECOME_THE_LAUNCHER_IF_ASKED: extern "C" fn() = become_the_launcher_if_asked;
    };
}
