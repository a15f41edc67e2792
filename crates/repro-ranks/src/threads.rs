//! Ranks that are threads of one process: a channel from each to each.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use thiserror::Error;

use crate::Wire;

/// Bytes under way at once: they fit a core's cache, and are many enough that handing them over costs little.
const PART_BYTES: usize = 256 * 1024;

/// One thread's end of the channels to all others: [`thread_wires`].
pub struct ThreadWire {
    rank: usize,
    /// By rank; one's own is never used.
    to: Vec<Sender<Vec<u8>>>,
    /// By rank; one's own is never used.
    from: Vec<Receiver<Vec<u8>>>,
    timeout: Duration,
    /// What a partner sent is used again for what is sent to it.
    spare: Vec<Vec<u8>>,
}

/// An exchange between threads failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ThreadError {
    /// The other thread ended, and with it its wire.
    #[error("worker {rank}: bytes from worker {partner} were due, but it has ended")]
    Ended {
        /// Who waited.
        rank: usize,
        /// For whom.
        partner: usize,
    },
    /// The other thread sent nothing for so long.
    #[error("worker {rank}: waited {} s for bytes from worker {partner}", waited.as_secs_f64())]
    TimedOut {
        /// Who waited.
        rank: usize,
        /// For whom.
        partner: usize,
        /// For how long.
        waited: Duration,
    },
    /// The two do not agree on how much there is to exchange.
    #[error("worker {rank}: expected {expected} bytes from worker {partner}, got {got}")]
    Length {
        /// Who received.
        rank: usize,
        /// From whom.
        partner: usize,
        /// In the part at hand.
        expected: usize,
        /// In the part at hand.
        got: usize,
    },
}

/// The wires of `size` threads, by rank. A wait for another thread ends with an error after `timeout`.
pub fn thread_wires(size: usize, timeout: Duration) -> Vec<ThreadWire> {
    let mut wires: Vec<ThreadWire> = (0..size)
        .map(|rank| ThreadWire { rank, to: Vec::new(), from: Vec::new(), timeout, spare: Vec::new() })
        .collect();
    for sender in 0..size {
        for wire in 0..size {
            let (to, from) = channel();
            wires[sender].to.push(to);
            wires[wire].from.push(from);
        }
    }
    wires
}

impl Wire for ThreadWire {
    type Error = ThreadError;

    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange_parts(
        &mut self,
        partner: usize,
        send: &[u8],
        receive_bytes: usize,
        arrived: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), ThreadError> {
        let rank = self.rank;
        let mut parts = send.chunks(PART_BYTES);
        let mut received = 0;
        // One part ahead of what has arrived, so that the two work at the same time and little memory is under way.
        let mut send_next = |spare: &mut Vec<Vec<u8>>| {
            let Some(part) = parts.next() else { return Ok(false) };
            let mut bytes = spare.pop().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(part);
            self.to[partner].send(bytes).map_err(|_| ThreadError::Ended { rank, partner })?;
            Ok(true)
        };
        send_next(&mut self.spare)?;
        loop {
            let sent = send_next(&mut self.spare)?;
            if received == receive_bytes {
                if sent {
                    continue;
                }
                return Ok(());
            }
            let part = self.from[partner].recv_timeout(self.timeout).map_err(|error| match error {
                RecvTimeoutError::Timeout => ThreadError::TimedOut { rank, partner, waited: self.timeout },
                RecvTimeoutError::Disconnected => ThreadError::Ended { rank, partner },
            })?;
            let expected = PART_BYTES.min(receive_bytes - received);
            if part.len() != expected {
                return Err(ThreadError::Length { rank, partner, expected, got: part.len() });
            }
            arrived(received, &part);
            received += part.len();
            if self.spare.len() < 4 {
                self.spare.push(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ended_is_named() {
        let mut wires = thread_wires(2, Duration::from_secs(10));
        drop(wires.remove(0));
        let mut buffer = [0; 4];
        let error = wires[0].exchange(0, &[], &mut buffer).expect_err("nobody there");
        assert_eq!(error.to_string(), "worker 1: bytes from worker 0 were due, but it has ended");
    }

    #[test]
    fn a_silent_thread_is_named_after_the_timeout() {
        let mut wires = thread_wires(3, Duration::from_millis(20));
        let mut buffer = [0; 4];
        let error = wires[0].exchange(2, &[1], &mut buffer).expect_err("it does not answer");
        assert_eq!(error.to_string(), "worker 0: waited 0.02 s for bytes from worker 2");
    }

    #[test]
    fn another_number_of_bytes_is_an_error() {
        let [mut zero, mut one] = <[ThreadWire; 2]>::try_from(thread_wires(2, Duration::from_secs(1))).ok().unwrap();
        zero.exchange(1, &[1, 2, 3], &mut []).expect("sends only");
        let error = one.exchange(0, &[], &mut [0; 4]).expect_err("a byte is missing");
        assert_eq!(error.to_string(), "worker 1: expected 4 bytes from worker 0, got 3");
    }
}
