//! Who has how much of an account's concurrency, and what nobody may take.

use domain::limits::UNRESERVED_CONCURRENCY_MIN;
use domain::{FunctionName, Scope};
use store::{Scan, Snapshot};
use wire::Error;

use super::{PROVISIONED, RESERVED};
use crate::error::invalid_parameter;

/// What functions claim for themselves: what is reserved and, of functions without a reservation, what is provisioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Of the function in question: what is reserved.
    pub reserved: Option<u32>,
    /// Of the function in question: what is provisioned.
    pub provisioned: u32,
    /// Of all others, both.
    pub others: u32,
}

impl Claims {
    /// Reads them for a change of one function. What is provisioned for its `changing` qualifier does not count.
    pub fn read(
        snapshot: &Snapshot<'_>,
        scope: &Scope,
        name: &FunctionName,
        changing: Option<&str>,
    ) -> Result<Self, store::Error> {
        let reserved = snapshot.scan(&RESERVED, &Scan::prefix((scope,)))?;
        let provisioned = snapshot.scan(&PROVISIONED, &Scan::prefix((scope,)))?;
        let mut claims = Self::default();
        for ((_, function), one) in &reserved {
            if function == name {
                claims.reserved = Some(one.concurrency);
            } else {
                claims.others = claims.others.saturating_add(one.concurrency);
            }
        }
        for ((_, function, qualifier), one) in &provisioned {
            if function == name {
                if Some(qualifier.as_str()) != changing {
                    claims.provisioned = claims.provisioned.saturating_add(one.concurrency);
                }
            } else if !reserved.iter().any(|((_, reserved), _)| reserved == function) {
                claims.others = claims.others.saturating_add(one.concurrency);
            }
        }
        Ok(claims)
    }

    /// May the function have so much reserved?
    pub fn check_reserved(self, wanted: u32, account: u32) -> Result<(), Error> {
        if wanted < self.provisioned {
            // AWS's own spaces.
            return Err(invalid_parameter(format!(
                " ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned \
                 concurrency [{}].",
                self.provisioned
            )));
        }
        check_rest(self.others.saturating_add(wanted), account)
    }

    /// May the function have so much more provisioned?
    pub fn check_provisioned(self, wanted: u32, account: u32) -> Result<(), Error> {
        let total = self.provisioned.saturating_add(wanted);
        if let Some(reserved) = self.reserved {
            return match total > reserved {
                true => Err(invalid_parameter(
                    "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
                     function",
                )),
                false => Ok(()),
            };
        }
        let unreserved = account.saturating_sub(self.others.saturating_add(self.provisioned));
        if wanted > unreserved {
            return Err(invalid_parameter(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency \
                 [{unreserved}]."
            )));
        }
        check_rest(self.others.saturating_add(total), account)
    }
}

/// Some of an account's concurrency is everyone's. An account that has less to begin with keeps all of it.
fn check_rest(claimed: u32, account: u32) -> Result<(), Error> {
    let least = UNRESERVED_CONCURRENCY_MIN.min(account);
    if claimed > account - least {
        return Err(invalid_parameter(format!(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{least}]."
        )));
    }
    Ok(())
}

/// What reservations leave of an account's concurrency.
pub fn unreserved(snapshot: &Snapshot<'_>, scope: &Scope, account: u32) -> Result<u32, store::Error> {
    let reserved = snapshot.scan(&RESERVED, &Scan::prefix((scope,)))?;
    let claimed = reserved.iter().fold(0_u32, |sum, (_, one)| sum.saturating_add(one.concurrency));
    Ok(account.saturating_sub(claimed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: u32 = 1000;

    #[track_caller]
    fn refused(outcome: Result<(), Error>, part: &str) {
        let message = outcome.unwrap_err().message;
        assert!(message.contains(part), "{message}");
    }

    #[test]
    fn a_hundred_stay_for_everyone() {
        let claims = Claims { others: 300, ..Claims::default() };
        assert!(claims.check_reserved(600, ACCOUNT).is_ok());
        refused(claims.check_reserved(601, ACCOUNT), "below its minimum value of [100].");
        assert!(claims.check_provisioned(600, ACCOUNT).is_ok());
        refused(claims.check_provisioned(601, ACCOUNT), "below its minimum value of [100].");
        refused(
            claims.check_provisioned(701, ACCOUNT),
            "greater than account's unreserved concurrency [700].",
        );
    }

    #[test]
    fn an_account_with_less_keeps_all_of_it() {
        let claims = Claims::default();
        assert!(claims.check_reserved(0, 10).is_ok());
        refused(claims.check_reserved(1, 10), "below its minimum value of [10].");
    }

    #[test]
    fn what_is_provisioned_fits_into_what_is_reserved() {
        let claims = Claims { reserved: Some(5), provisioned: 2, others: 0 };
        assert!(claims.check_provisioned(3, ACCOUNT).is_ok());
        refused(
            claims.check_provisioned(4, ACCOUNT),
            "should not be greater than the reservedConcurrentExecution",
        );
        assert!(claims.check_reserved(2, ACCOUNT).is_ok());
        refused(
            claims.check_reserved(1, ACCOUNT),
            " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
        );
    }
}
