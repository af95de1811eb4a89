//! Facts with instants become a [`Generation`]. Pure: the same code for live streams, recordings and tests.
//!
//! Instants are the arrival of the bytes that said something; all events of one read share theirs.

use super::error::{BadBody, GenerateError, LmError};
use super::facts::{Fact, merge_counts, merge_reported};
use super::payload::ServerMessage;
use super::sse::{SseEvent, SseParser};
use super::{
    Api, Delta, DeltaKind, Generation, GenerationEvent, ReportedStats, StopReason, Timeline, TokenCounts, Unavailable,
    openai, v1,
};
use crate::clock::MonotonicTime;

/// Builds one generation out of facts.
#[derive(Debug)]
pub struct Assembler {
    generation: Generation,
    max_tokens: u32,
    failure: Option<ServerMessage>,
    ended: bool,
    announced_finish: bool,
}

impl Assembler {
    /// Begins with the request that was sent at `sent` with a limit of `max_tokens`.
    #[must_use]
    pub fn new(api: Api, sent: MonotonicTime, max_tokens: u32) -> Self {
        let generation = Generation {
            api,
            answered_by: None,
            timeline: Timeline { sent, end: sent, ..Default::default() },
            tokens: TokenCounts::default(),
            reported: ReportedStats::default(),
            stop_reason: None,
            text: String::new(),
            reasoning_text: String::new(),
            unavailable: Vec::new(),
        };
        Self { generation, max_tokens, failure: None, ended: false, announced_finish: false }
    }

    /// Response headers arrived.
    pub fn headers(&mut self, at: MonotonicTime) {
        self.generation.timeline.headers = Some(at);
    }

    /// Notes that `field` is missing because of `reason`.
    pub fn unavailable(&mut self, field: &str, reason: &str) {
        let noted = &mut self.generation.unavailable;
        if !noted.iter().any(|known| known.field == field) {
            noted.push(Unavailable { field: field.to_owned(), reason: reason.to_owned() });
        }
    }

    /// True once the stream's last event was seen; what follows is of no interest.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// True once the first piece of text arrived.
    #[must_use]
    pub fn has_text(&self) -> bool {
        !self.generation.timeline.deltas.is_empty()
    }

    /// Takes one fact that arrived at `at`; progress goes to `events`.
    pub fn apply(&mut self, at: MonotonicTime, fact: Fact, events: &mut Vec<GenerationEvent>) {
        let generation = &mut self.generation;
        let timeline = &mut generation.timeline;
        if self.ended {
            return;
        }
        match fact {
            Fact::AnsweredBy(model) => generation.answered_by = Some(model),
            Fact::ModelLoaded(seconds) => {
                generation.reported.model_load_s = seconds.or(generation.reported.model_load_s);
            }
            Fact::PrefillStarted => timeline.prefill_start = timeline.prefill_start.or(Some(at)),
            Fact::PrefillProgress(share) => {
                events.push(GenerationEvent::PrefillProgress(at, share.clamp(0.0, 1.0)));
            }
            Fact::PrefillEnded => {
                timeline.prefill_ends.push(at);
                events.push(GenerationEvent::PrefillEnded(at));
            }
            Fact::Delta(_, text) if text.is_empty() => {}
            Fact::Delta(kind, text) => {
                if timeline.deltas.is_empty() {
                    events.push(GenerationEvent::FirstToken(at));
                }
                timeline.finish = None; // an end before this text was the end of another part
                timeline.deltas.push(Delta { at, kind, bytes: u32::try_from(text.len()).unwrap_or(u32::MAX) });
                match kind {
                    DeltaKind::Reasoning => generation.reasoning_text.push_str(&text),
                    DeltaKind::Message => generation.text.push_str(&text),
                }
                events.push(GenerationEvent::Delta(at, kind, text));
            }
            Fact::PartEnded(kind) => {
                timeline.finish = Some(at);
                if kind == DeltaKind::Message {
                    self.announce_finish(at, events); // after reasoning an answer may still come
                }
            }
            Fact::Finished(reason) => {
                timeline.finish = timeline.finish.or(Some(at));
                generation.stop_reason = Some(reason);
                self.announce_finish(at, events);
            }
            Fact::Counts(counts) => merge_counts(&mut generation.tokens, counts),
            Fact::Reported(reported) => merge_reported(&mut generation.reported, reported),
            Fact::WholeText { text, reasoning_text } => {
                if generation.text.is_empty() && generation.reasoning_text.is_empty() {
                    generation.text = text;
                    generation.reasoning_text = reasoning_text;
                }
            }
            Fact::Unavailable { field, reason } => self.unavailable(field, reason),
            Fact::Failed(message) => self.failure = self.failure.take().or(Some(message)),
            Fact::Ended => {
                timeline.end = at;
                self.ended = true;
                if self.failure.is_none() {
                    let last = self.generation.timeline.last_token();
                    self.announce_finish(last, events);
                }
            }
        }
    }

    fn announce_finish(&mut self, at: MonotonicTime, events: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.announced_finish, true) {
            events.push(GenerationEvent::Finished(at));
        }
    }

    /// The server has closed the stream, or said its last word, at `at`.
    ///
    /// # Errors
    /// [`LmError::StreamError`] when the server reported a failure, [`LmError::StreamCut`] when the last event is
    /// missing, [`LmError::EmptyAnswer`] when there is no text; each with what had arrived.
    pub fn finish(mut self, at: MonotonicTime) -> Result<Generation, GenerateError> {
        if let Some(message) = self.failure.take() {
            return Err(self.fail(at, message.into_stream_error()));
        }
        // Some OpenAI-compatible servers leave `[DONE]` out; on v1 only `chat.end` is an end.
        let complete = self.ended || (self.generation.api == Api::Openai && self.generation.stop_reason.is_some());
        if !complete {
            return Err(self.fail(at, LmError::StreamCut { source: None }));
        }
        if !self.ended {
            self.generation.timeline.end = at;
        }
        let generation = self.close();
        let claimed_tokens = generation.tokens.output;
        if claimed_tokens == Some(0) || (generation.text.is_empty() && generation.reasoning_text.is_empty()) {
            let error = LmError::EmptyAnswer { claimed_tokens };
            return Err(GenerateError { error, partial: Some(Box::new(generation)) });
        }
        Ok(generation)
    }

    /// Ends the generation with `error` at `at`, keeping what had arrived. If the server had already said what went
    /// wrong, its words are the better error than the broken connection that follows them.
    #[must_use]
    pub fn fail(mut self, at: MonotonicTime, error: LmError) -> GenerateError {
        if !self.ended {
            self.generation.timeline.end = at;
        }
        let error = match (self.failure.take(), error) {
            (Some(message), LmError::StreamCut { .. }) => message.into_stream_error(),
            (_, error) => error,
        };
        GenerateError { error, partial: Some(Box::new(self.close())) }
    }

    fn close(mut self) -> Generation {
        let generation = &mut self.generation;
        // v1 gives no reason; a full token budget is the only case that can be told.
        if generation.api == Api::LmstudioV1
            && generation.tokens.output.is_some_and(|tokens| tokens >= u64::from(self.max_tokens))
        {
            generation.stop_reason = Some(StopReason::MaxTokens);
        }
        for (field, reason) in absences(&self.generation) {
            self.unavailable(field, reason);
        }
        self.generation
    }
}

/// Fields that are missing, each with what this API says about it.
fn absences(generation: &Generation) -> Vec<(&'static str, &'static str)> {
    const NO_USAGE: &str = "the server sent no token counts; chunks are not tokens, so none are counted";
    const NOT_SENT: &str = "the server left it out of this answer";
    let Generation { tokens, reported, timeline, .. } = generation;
    // Columns: LM Studio v1, LM Studio v0, OpenAI.
    let by_api = |reasons: [&'static str; 3]| match generation.api {
        Api::LmstudioV1 => reasons[0],
        Api::LmstudioV0 => reasons[1],
        Api::Openai => reasons[2],
    };
    let no_cache = "LM Studio's REST API never tells how much of the prompt came from its cache";
    let no_clock = "this server reports no times";
    let whole = "LM Studio's v0 API has its statistics only in answers that come in one piece";
    let rows: [(bool, &str, [&'static str; 3]); 12] = [
        (tokens.prompt.is_none(), "tokens.prompt", [NO_USAGE; 3]),
        (tokens.prompt_cached.is_none(), "tokens.prompt_cached", [no_cache, no_cache, NOT_SENT]),
        (tokens.output.is_none(), "tokens.output", [NO_USAGE; 3]),
        (
            tokens.reasoning.is_none(),
            "tokens.reasoning",
            [NOT_SENT, NOT_SENT, "this server does not count reasoning apart"],
        ),
        (reported.tokens_per_second.is_none(), "reported.tokens_per_second", [NOT_SENT, NOT_SENT, no_clock]),
        (reported.ttft_ms.is_none(), "reported.ttft_ms", [NOT_SENT, NOT_SENT, no_clock]),
        (
            reported.generation_time_s.is_none(),
            "reported.generation_time_s",
            ["LM Studio's v1 API does not report it", NOT_SENT, no_clock],
        ),
        (
            reported.prompt_tokens_per_second.is_none(),
            "reported.prompt_tokens_per_second",
            ["LM Studio does not report a prefill rate", "LM Studio does not report a prefill rate", no_clock],
        ),
        (
            timeline.deltas.is_empty(),
            "timeline.deltas",
            ["the server streamed no text, it came with the end event", whole, "the server streamed no text"],
        ),
        (
            timeline.prefill_start.is_none(),
            "timeline.prefill_start",
            ["the server sent no prompt_processing.start", whole, "OpenAI-compatible streams do not show the prefill"],
        ),
        (
            timeline.prefill_ends.is_empty(),
            "timeline.prefill_ends",
            ["the server sent no prompt_processing.end", whole, "OpenAI-compatible streams do not show the prefill"],
        ),
        (
            generation.stop_reason.is_none(),
            "stop_reason",
            ["LM Studio's v1 API gives none; the token limit was not reached", NOT_SENT, NOT_SENT],
        ),
    ];
    rows.into_iter().filter(|row| row.0).map(|(_, field, reasons)| (field, by_api(reasons))).collect()
}

/// Reads the bytes of a streamed answer: event parser, the API's dialect, and assembler in one.
#[derive(Debug)]
pub struct StreamReader {
    parser: SseParser,
    pending: Vec<SseEvent>,
    assembler: Assembler,
}

impl StreamReader {
    /// A reader for an answer on `api` to the request that was sent at `sent` with a limit of `max_tokens`.
    #[must_use]
    pub fn new(api: Api, sent: MonotonicTime, max_tokens: u32) -> Self {
        Self { parser: SseParser::default(), pending: Vec::new(), assembler: Assembler::new(api, sent, max_tokens) }
    }

    /// Response headers arrived.
    pub fn headers(&mut self, at: MonotonicTime) {
        self.assembler.headers(at);
    }

    /// Notes that `field` is missing because of `reason`.
    pub fn unavailable(&mut self, field: &str, reason: &str) {
        self.assembler.unavailable(field, reason);
    }

    /// True once the stream's last event was seen.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.assembler.has_ended()
    }

    /// True once the first piece of text arrived.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.assembler.has_text()
    }

    /// Takes bytes that arrived at `at`; progress goes to `events`.
    ///
    /// # Errors
    /// [`BadBody`]: an event is too large or can't be understood. What came before it in the same bytes has been
    /// taken; the caller ends the generation with [`Self::fail`].
    pub fn push(&mut self, at: MonotonicTime, bytes: &[u8], events: &mut Vec<GenerationEvent>) -> Result<(), BadBody> {
        let mut pending = std::mem::take(&mut self.pending);
        let parsed = self.parser.push(bytes, &mut pending);
        for event in pending.drain(..) {
            if self.has_ended() {
                break;
            }
            self.take(at, &event, events)?;
        }
        self.pending = pending;
        parsed?;
        Ok(())
    }

    fn take(&mut self, at: MonotonicTime, event: &SseEvent, events: &mut Vec<GenerationEvent>) -> Result<(), BadBody> {
        let facts = match self.assembler.generation.api {
            Api::LmstudioV1 => v1::parse_event(event)?,
            Api::LmstudioV0 | Api::Openai => openai::parse_event(event)?,
        };
        for fact in facts {
            self.assembler.apply(at, fact, events);
        }
        Ok(())
    }

    /// The stream has ended in order at `at`.
    ///
    /// # Errors
    /// See [`Assembler::finish`].
    pub fn finish(mut self, at: MonotonicTime, events: &mut Vec<GenerationEvent>) -> Result<Generation, GenerateError> {
        if let Some(rest) = std::mem::take(&mut self.parser).finish()
            && !self.has_ended()
        {
            // Without its blank line it may be cut anywhere: if it makes no sense, the stream was cut.
            let _ = self.take(at, &rest, events);
        }
        self.assembler.finish(at)
    }

    /// The stream has ended with `error` at `at`.
    #[must_use]
    pub fn fail(self, at: MonotonicTime, error: LmError) -> GenerateError {
        self.assembler.fail(at, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn read(
        api: Api,
        max_tokens: u32,
        pieces: &[(i64, &str)],
    ) -> (Result<Generation, GenerateError>, Vec<GenerationEvent>) {
        let mut reader = StreamReader::new(api, MonotonicTime(0), max_tokens);
        let mut events = Vec::new();
        let mut last = 0;
        for (at_ms, piece) in pieces {
            last = at_ms * MS;
            reader.push(MonotonicTime(last), piece.as_bytes(), &mut events).unwrap();
        }
        (reader.finish(MonotonicTime(last), &mut events), events)
    }

    fn v1_event(name: &str, fields: &str) -> String {
        format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n")
    }

    fn v1_end(output_tokens: u64) -> String {
        v1_event("chat.end", &format!(r#","result":{{"stats":{{"total_output_tokens":{output_tokens}}}}}"#))
    }

    #[test]
    fn empty_deltas_are_no_first_token() {
        let (generation, events) = read(
            Api::LmstudioV1,
            10,
            &[
                (1, &v1_event("reasoning.delta", r#","content":"""#)),
                (5, &v1_event("reasoning.delta", r#","content":"a""#)),
                (6, &v1_event("reasoning.end", "")),
                (8, &v1_event("message.delta", r#","content":"b""#)),
                (9, &v1_event("message.end", "")),
                (12, &v1_end(3)),
            ],
        );
        let generation = generation.unwrap();
        assert_eq!(generation.timeline.first_token(), Some(MonotonicTime(5 * MS)));
        assert_eq!(generation.timeline.finish, Some(MonotonicTime(9 * MS)), "the end of the last part");
        assert_eq!(generation.timeline.end, MonotonicTime(12 * MS));
        assert_eq!((generation.reasoning_text.as_str(), generation.text.as_str()), ("a", "b"));
        assert!(events.contains(&GenerationEvent::FirstToken(MonotonicTime(5 * MS))));
        assert_eq!(events.last(), Some(&GenerationEvent::Finished(MonotonicTime(9 * MS))));
    }

    #[test]
    fn v1_stop_reason_is_inferred_from_the_token_limit_alone() {
        let delta = v1_event("message.delta", r#","content":"b""#);
        let (full, _) = read(Api::LmstudioV1, 3, &[(1, &delta), (2, &v1_end(3))]);
        assert_eq!(full.unwrap().stop_reason, Some(StopReason::MaxTokens));
        let (short, _) = read(Api::LmstudioV1, 4, &[(1, &delta), (2, &v1_end(3))]);
        let short = short.unwrap();
        assert_eq!(short.stop_reason, None);
        assert!(short.unavailable.iter().any(|missing| missing.field == "stop_reason"));
    }

    #[test]
    fn stream_without_its_end_event_is_cut_whatever_arrived() {
        let (result, _) = read(Api::LmstudioV1, 3, &[(1, &v1_event("message.delta", r#","content":"b""#))]);
        let failed = result.unwrap_err();
        assert!(matches!(failed.error, LmError::StreamCut { .. }));
        assert_eq!(failed.partial.unwrap().text, "b");
        let (result, _) =
            read(Api::Openai, 3, &[(1, "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\ndata: {\"cho")]);
        assert!(matches!(result.unwrap_err().error, LmError::StreamCut { .. }));
    }

    #[test]
    fn openai_stream_may_leave_done_out_after_its_finish_reason() {
        let wire = "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n";
        let (generation, _) = read(Api::Openai, 3, &[(4, wire)]);
        let generation = generation.unwrap();
        assert_eq!(generation.stop_reason, Some(StopReason::EndOfSequence));
        assert_eq!(generation.timeline.end, MonotonicTime(4 * MS));
        assert_eq!(generation.tokens.output, None, "chunks are not tokens");
        let reason = generation.unavailable.iter().find(|missing| missing.field == "tokens.output").unwrap();
        assert!(reason.reason.contains("chunks are not tokens"));
    }

    #[test]
    fn answer_without_text_is_rejected_even_when_tokens_are_claimed() {
        let (result, _) = read(Api::LmstudioV1, 3, &[(2, &v1_end(7))]);
        assert!(matches!(result.unwrap_err().error, LmError::EmptyAnswer { claimed_tokens: Some(7) }));
        let (result, _) = read(Api::Openai, 3, &[(2, "data: [DONE]\n\n")]);
        assert!(matches!(result.unwrap_err().error, LmError::EmptyAnswer { claimed_tokens: None }));
    }

    #[test]
    fn error_after_status_200_fails_the_run_and_keeps_the_part() {
        let (result, _) = read(
            Api::LmstudioV1,
            3,
            &[
                (1, &v1_event("message.delta", r#","content":"b""#)),
                (2, &v1_event("error", r#","error":{"type":"internal_error","message":"engine died"}"#)),
                (3, &v1_end(1)),
            ],
        );
        let failed = result.unwrap_err();
        assert!(matches!(&failed.error, LmError::StreamError { message } if message == "engine died"));
        let partial = failed.partial.unwrap();
        assert_eq!((partial.text.as_str(), partial.tokens.output), ("b", Some(1)));
    }

    #[test]
    fn whole_text_at_the_end_stands_in_for_deltas_that_never_came() {
        let end = v1_event("chat.end", r#","result":{"output":[{"type":"message","content":"hi"}],"stats":{}}"#);
        let (generation, events) = read(Api::LmstudioV1, 3, &[(7, &end)]);
        let generation = generation.unwrap();
        assert_eq!(generation.text, "hi");
        assert_eq!(generation.timeline.first_token(), None);
        assert_eq!(events, vec![GenerationEvent::Finished(MonotonicTime(7 * MS))]);
    }
}
