//! What a sum over ranks needs of whatever moves its bytes.

/// One rank's end of the connections among `size` ranks.
///
/// A rank is a worker: a thread ([`crate::ThreadWire`]) or a process ([`crate::World`]). All ranks make the same calls in
/// the same order; how many bytes each sends is known to its partner beforehand.
pub trait Wire {
    /// What can go wrong. After an error the wire is of no further use.
    type Error;

    /// This worker's number, from 0.
    fn rank(&self) -> usize;

    /// The number of workers.
    fn size(&self) -> usize;

    /// Sends `send` to `partner` and receives `receive_bytes` from it, both at once. Each part that arrives is shown to
    /// `arrived` with its place in the whole: in order, without gaps, and each but the last a multiple of 8 bytes long.
    /// While `arrived` works, the next parts are under way. Nothing is shown if `receive_bytes` is 0.
    ///
    /// # Errors
    /// The partner is gone or silent, or sent another number of bytes.
    fn exchange_parts(
        &mut self,
        partner: usize,
        send: &[u8],
        receive_bytes: usize,
        arrived: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), Self::Error>;

    /// Sends `send` to `partner` and receives what it sends into `receive`, both at once.
    ///
    /// # Errors
    /// The partner is gone or silent, or sent another number of bytes.
    fn exchange(&mut self, partner: usize, send: &[u8], receive: &mut [u8]) -> Result<(), Self::Error> {
        self.exchange_parts(partner, send, receive.len(), &mut |at, bytes| {
            receive[at..at + bytes.len()].copy_from_slice(bytes);
        })
    }
}
