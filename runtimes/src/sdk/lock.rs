//! One installation at a time, in this process and in others.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Held while installing. The kernel lets go of it when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, calling `wait` first if somebody else has it.
    pub fn take(path: &Path, wait: impl FnOnce()) -> io::Result<Self> {
        // Each taker opens the file anew: locks of one process then exclude each other as well.
        let file = File::options().create(true).append(true).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                wait();
                flock(&file, FlockOperation::LockExclusive)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_second_taker_is_told_and_waits_for_the_first() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let first = Lock::take(&path, || panic!("nobody has it")).unwrap();
        let (sender, told) = mpsc::channel();
        let second = std::thread::spawn(move || Lock::take(&path, || sender.send(()).unwrap()).unwrap());
        told.recv().unwrap();
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap();
    }
}
