//! How many files the server may have open: as many as it is allowed to ask for.
//!
//! An execution environment holds about 20 descriptors of the server's, and a login shell's usual bound of 1024 would
//! end at some 40 of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What one execution environment and its connections hold.
const PER_ENVIRONMENT: u64 = 20;

/// Raises the soft limit to the hard one, and says how many environments fit if they are fewer than `concurrency`.
pub fn raise(concurrency: u32) -> Option<String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    too_few(allowed, concurrency)
}

fn too_few(allowed: Option<u64>, concurrency: u32) -> Option<String> {
    let environments = allowed? / PER_ENVIRONMENT;
    (environments < u64::from(concurrency)).then(|| {
        format!(
            "{} open files are allowed here (ulimit -Hn), enough for about {environments} execution environments at once",
            environments * PER_ENVIRONMENT
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise(1);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn too_few_files_are_said_and_enough_are_not() {
        assert_eq!(too_few(None, 1000), None);
        assert_eq!(too_few(Some(20_000), 1000), None);
        assert!(too_few(Some(4096), 1000).unwrap().contains("about 204 execution environments"));
    }
}
