//! One client and its stream: what is remembered of them.

use std::time::Duration;

use joulebar_wire::{IntervalMs, Samplers, StopReason};

use super::bucket::TokenBucket;
use super::{ChildId, PeerId};

#[derive(Debug)]
pub struct Peer {
    pub id: PeerId,
    pub connected_at: Duration,
    /// `hello` has come.
    pub greeted: bool,
    /// It speaks our protocol version.
    pub compatible: bool,
    pub bucket: TokenBucket,
    pub errors: u32,
    pub stream: Option<Stream>,
    /// A stream that has ended but whose process may still live: number and reason.
    pub ending: Option<(u64, StopReason)>,
    /// The stream that ended last.
    pub last_ended: Option<u64>,
    pub samples_in_flight: usize,
    pub bytes_in_flight: usize,
    pub replies_in_flight: usize,
}

impl Peer {
    pub fn new(id: PeerId, now: Duration) -> Self {
        Self {
            id,
            connected_at: now,
            greeted: false,
            compatible: false,
            bucket: TokenBucket::full(now),
            errors: 0,
            stream: None,
            ending: None,
            last_ended: None,
            samples_in_flight: 0,
            bytes_in_flight: 0,
            replies_in_flight: 0,
        }
    }

    pub fn has_stream(&self, id: u64) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.id == id)
    }

    pub fn end_stream(&mut self, reason: StopReason) {
        if let Some(stream) = self.stream.take() {
            self.ending = Some((stream.id, reason));
            self.last_ended = Some(stream.id);
        }
    }

    pub fn delivered(&mut self, document_bytes: Option<usize>) {
        match document_bytes {
            Some(bytes) => {
                self.samples_in_flight = self.samples_in_flight.saturating_sub(1);
                self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
            }
            None => self.replies_in_flight = self.replies_in_flight.saturating_sub(1),
        }
    }
}

#[derive(Debug)]
pub struct Stream {
    pub id: u64,
    pub interval: IntervalMs,
    pub samplers: Samplers,
    /// Documents so far, lost ones included: the number of the next one.
    pub seq: u64,
    /// Documents that were not delivered.
    pub dropped: u64,
    /// The child that the client was told of.
    pub announced: Option<ChildId>,
    pub waiting_marks: Vec<u64>,
}

impl Stream {
    pub fn new(id: u64, interval: IntervalMs, samplers: Samplers) -> Self {
        Self { id, interval, samplers, seq: 0, dropped: 0, announced: None, waiting_marks: Vec::new() }
    }

    /// Counts a document that the client does not get.
    pub fn lose(&mut self) {
        self.seq += 1;
        self.dropped += 1;
    }
}
