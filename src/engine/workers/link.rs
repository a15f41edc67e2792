//! A worker's connection to the others.

use repro_ranks::{ThreadError, Wire};

/// A worker's connection to the others, and where these compute.
pub struct Link {
    wire: Box<dyn Wire<Error = LinkError> + Send>,
    places: Vec<String>,
}

/// Another worker that does not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("worker {rank} ({place}) {reason}")]
pub struct LinkError {
    /// Its number.
    pub rank: usize,
    /// Where it computes.
    pub place: String,
    /// What is wrong with it: the end of a sentence.
    pub reason: String,
}

/// An error of what moves the bytes, about one of the workers.
pub trait Blame {
    /// Which worker it is about, and what is wrong with it: the end of a sentence.
    fn blame(&self) -> (usize, String);
}

impl Blame for ThreadError {
    fn blame(&self) -> (usize, String) {
        match self {
            Self::Ended { partner, .. } => (*partner, "has ended before the run has".into()),
            Self::TimedOut { partner, waited, .. } => {
                (*partner, format!("did not answer within trainer.worker_timeout, {} s", waited.as_secs_f64()))
            }
            Self::Length { partner, expected, got, .. } => {
                (*partner, format!("is out of step: expected {expected} bytes of it, got {got}"))
            }
        }
    }
}

/// A wire whose errors say where the worker computes that they are about.
struct Placed<W> {
    wire: W,
    places: Vec<String>,
}

impl<W: Wire<Error: Blame>> Wire for Placed<W> {
    type Error = LinkError;

    fn rank(&self) -> usize {
        self.wire.rank()
    }

    fn size(&self) -> usize {
        self.wire.size()
    }

    fn exchange_parts(
        &mut self,
        partner: usize,
        send: &[u8],
        receive_bytes: usize,
        arrived: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), LinkError> {
        self.wire.exchange_parts(partner, send, receive_bytes, arrived).map_err(|error| {
            let (rank, reason) = error.blame();
            LinkError { rank, place: self.places[rank].clone(), reason }
        })
    }
}

/// Bytes that the workers say to each other at once, all together: far more than they do. Gradients are no message.
const MAX_MESSAGE: usize = 1 << 28;

impl Link {
    /// The connection over a wire to workers that compute at these places.
    pub fn over<W: Wire<Error: Blame> + Send + 'static>(wire: W, places: Vec<String>) -> Self {
        Self { wire: Box::new(Placed { wire, places: places.clone() }), places }
    }

    /// This worker's number, from 0.
    pub fn rank(&self) -> usize {
        self.wire.rank()
    }

    /// How many workers there are.
    pub fn size(&self) -> usize {
        self.wire.size()
    }

    /// Where a worker computes.
    pub fn place(&self, rank: usize) -> &str {
        &self.places[rank]
    }

    /// What sums over the workers go through.
    pub(super) fn wire(&mut self) -> &mut (dyn Wire<Error = LinkError> + Send) {
        &mut *self.wire
    }

    /// What every worker says, in the order of their numbers; each hears all of it.
    ///
    /// # Errors
    /// When one does not answer as it should.
    pub fn gather(&mut self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, LinkError> {
        let (rank, size) = (self.rank(), self.size());
        let mut heard = vec![Vec::new(); size];
        heard[rank] = own;
        let mut distance = 1;
        while distance < size {
            let partner = rank ^ distance;
            let (own, theirs) = (rank & !(distance - 1), partner & !(distance - 1));
            let send = packed(&heard[own..own + distance]);
            let mut length = [0; 8];
            self.wire.exchange(partner, &(send.len() as u64).to_le_bytes(), &mut length)?;
            let length = u64::from_le_bytes(length);
            let out_of_step = || LinkError {
                rank: partner,
                place: self.places[partner].clone(),
                reason: format!(
                    "is out of step: expected {distance} messages of it, got {length} bytes of something else"
                ),
            };
            let length =
                usize::try_from(length).ok().filter(|length| *length <= MAX_MESSAGE).ok_or_else(out_of_step)?;
            let mut receive = vec![0; length];
            self.wire.exchange(partner, &send, &mut receive)?;
            let messages = unpacked(&receive, distance).ok_or_else(out_of_step)?;
            heard[theirs..theirs + distance].clone_from_slice(&messages);
            distance *= 2;
        }
        Ok(heard)
    }
}

/// Messages in one, each after its length.
fn packed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(&(message.len() as u64).to_le_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// The way back of [`packed`], of so many messages.
fn unpacked(mut bytes: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let mut messages = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk()?;
        let (message, rest) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
        messages.push(message.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(messages)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::threads::tests::{linked, on_each};
    use super::*;

    #[test]
    fn everybody_hears_what_everybody_says() {
        for size in [1, 2, 4, 8, 16] {
            let said: Vec<Vec<u8>> = (0..size).map(|rank| vec![rank as u8; 3 * rank]).collect();
            let heard = on_each(size, |mut link| link.gather(said[link.rank()].clone()));
            assert_eq!(heard, vec![Ok(said); size]);
        }
    }

    #[test]
    fn a_worker_that_has_ended_or_does_not_answer_is_named_with_its_place() {
        let mut links = linked(2, Duration::from_millis(10));
        let error = links[0].gather(vec![1]).expect_err("nobody answers");
        assert_eq!(error.to_string(), "worker 1 (place 1) did not answer within trainer.worker_timeout, 0.01 s");
        drop(links.pop());
        let error = links[0].gather(vec![1]).expect_err("it has ended");
        assert_eq!(error.to_string(), "worker 1 (place 1) has ended before the run has");
    }

    #[test]
    fn what_is_no_message_is_out_of_step() {
        let [mut left, mut right]: [Link; 2] = linked(2, Duration::from_secs(20)).try_into().ok().expect("two");
        for nonsense in [u64::MAX, 3] {
            let heard = std::thread::scope(|scope| {
                let said = scope.spawn(|| {
                    right.wire().exchange(0, &nonsense.to_le_bytes(), &mut [0; 8]).expect("they talk");
                    // Those who were told a length that nobody has do not go on.
                    if nonsense == 3 {
                        right.wire().exchange(0, &[1, 2, 3], &mut [0; 9]).expect("they talk");
                    }
                });
                let heard = left.gather(vec![7]);
                said.join().expect("no panic");
                heard
            });
            let error = heard.expect_err("no message").to_string();
            assert!(error.starts_with("worker 1 (place 1) is out of step: expected 1 messages of it"), "{error}");
        }
    }
}
