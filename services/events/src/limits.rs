//! AWS's documented numbers.  <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>

/// Entries of one `PutEvents` together, in bytes.
pub(crate) const ENTRIES_BYTES: usize = 1024 * 1024;
/// Buses of an account in a region.
pub(crate) const BUSES: usize = 100;
/// Rules of a bus: AWS's default of 300 can be raised there, and is here.
pub(crate) const RULES: usize = 2_000;
/// Targets of a rule.
pub(crate) const TARGETS: usize = 5;
/// Items of a page.
pub(crate) const PAGE: usize = 100;
/// A resource policy, in bytes.
pub(crate) const POLICY_BYTES: usize = 10 * 1024;
/// `MaximumRetryAttempts` of a target that says nothing.
pub(crate) const RETRIES_DEFAULT: u32 = 185;
/// `MaximumEventAgeInSeconds` of a target that says nothing.
pub(crate) const AGE_SECONDS_DEFAULT: u64 = 86_400;
/// Names in an input transformer.
pub(crate) const INPUT_PATHS: usize = 100;
