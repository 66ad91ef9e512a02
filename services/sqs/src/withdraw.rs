//! The one way out of a queue: deleted messages are gone from the disk before anybody is told so.

use std::sync::Arc;

use store::Tx;
use wire::Error;

use crate::Sqs;
use crate::index::{Sequence, State};
use crate::queue::Queue;
use crate::record::{MESSAGES, STATES};

impl Sqs {
    /// Deletes messages, all or none; those that are not there are no mistake.
    pub(crate) async fn withdraw(&self, queue: &Arc<Queue>, sequences: &[Sequence]) -> Result<(), Error> {
        let leaving: Vec<(Sequence, State)> = {
            let mut index = queue.index();
            let begin = |sequence: &Sequence| Some((*sequence, index.begin_leaving(*sequence)?));
            sequences.iter().filter_map(begin).collect()
        };
        if leaving.is_empty() {
            return Ok(());
        }
        let written = {
            let (id, sequences) =
                (queue.id, leaving.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>());
            self.write(move |tx| Ok(sequences.iter().try_for_each(|sequence| take_out(tx, id, *sequence))?))
                .await
        };
        let mut index = queue.index();
        for (sequence, before) in leaving {
            match &written {
                Ok(()) => drop(index.remove(sequence)),
                Err(_) => index.stay(sequence, before),
            }
        }
        drop(index);
        // The next of a group may be received now.
        queue.ring(1);
        written
    }
}

/// Removes the rows of a message.
pub fn take_out(tx: &mut Tx<'_>, queue: u64, sequence: Sequence) -> Result<(), store::Error> {
    tx.delete(&MESSAGES, (queue, sequence))?;
    tx.delete(&STATES, (queue, sequence))?;
    Ok(())
}
