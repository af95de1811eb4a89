//! One generation over HTTP: sends the request, stamps what arrives, and leaves its meaning to
//! [`crate::lmstudio::timeline`]. Dropping the future closes the connection, which makes the server stop.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{Client, OPENAI_CHAT, QUESTION_LIMIT, V0_CHAT, V1_CHAT, bad};
use crate::clock::MonotonicTime;
use crate::lmstudio::detect::{Maker, Probe};
use crate::lmstudio::error::{BadBody, GenerateError, LmError, Waiting};
use crate::lmstudio::http::within;
use crate::lmstudio::payload::{error_in, parse_json};
use crate::lmstudio::timeline::{Assembler, StreamReader};
use crate::lmstudio::{Api, Generation, GenerationEvent, GenerationRequest, openai, v0, v1};

/// How long to wait after the last event for the server to close the stream, so that the connection ends in order.
const CLOSING_LIMIT: Duration = Duration::from_millis(100);

impl Client {
    /// Runs one generation; what happens is sent to `events` as it happens (a closed channel does not matter).
    /// Never retried: a second run is a second measurement. Dropping the future cancels it on the server as well.
    ///
    /// # Errors
    /// [`GenerateError`] with what had arrived of the answer.
    pub async fn generate(
        &self,
        request: &GenerationRequest,
        events: &UnboundedSender<GenerationEvent>,
    ) -> Result<Generation, GenerateError> {
        let request = GenerationRequest { model: self.unmasked(&request.model), ..request.clone() };
        match self.run(&request, events).await {
            Ok(generation) => Ok(self.mask.generation(generation)),
            Err(failed) => Err(self.mask.generate_error(failed)),
        }
    }

    async fn run(
        &self,
        request: &GenerationRequest,
        events: &UnboundedSender<GenerationEvent>,
    ) -> Result<Generation, GenerateError> {
        let reasoning = self.offered_reasoning(request);
        let llama_cpp = self.maker == Maker::LlamaCpp;
        let (route, prepared) = match self.api {
            Api::LmstudioV1 => (V1_CHAT, self.http.prepare(V1_CHAT, &v1::ChatBody::new(request, reasoning))?),
            Api::LmstudioV0 => (V0_CHAT, self.http.prepare(V0_CHAT, &openai::ChatBody::whole(request))?),
            Api::Openai => {
                (OPENAI_CHAT, self.http.prepare(OPENAI_CHAT, &openai::ChatBody::stream(request, llama_cpp))?)
            }
        };
        self.warm_connection().await?;

        let total = Instant::now() + self.options.total_timeout;
        let sent = self.clock.now();
        let _ = events.send(GenerationEvent::Sent(sent));
        let deadline = self.deadline(total, self.first_limit(), Waiting::FirstToken);
        let mut response = deadline.wait(self.http.execute(prepared)).await??;
        let headers = self.clock.now();

        if !response.status().is_success() {
            let body = deadline.wait(self.http.read_body(&mut response, route)).await??;
            return Err(self.refusal(response.status().as_u16(), &body, &request.model).into());
        }
        let mut run = Run { client: self, route, request, sent, headers, total, events };
        let mut generation = match self.api {
            Api::LmstudioV0 => run.whole(response).await?,
            Api::LmstudioV1 | Api::Openai => run.stream(response).await?,
        };
        if request.reasoning.is_some() && (reasoning.is_none() || self.api != Api::LmstudioV1) {
            generation.unavailable.push(crate::lmstudio::Unavailable {
                field: "request.reasoning".to_owned(),
                reason: "not sent: this model or API has no such reasoning setting".to_owned(),
            });
        }
        Ok(generation)
    }

    /// Opens the connection that the request will use, so that name look-up and TCP handshake are not in its time.
    async fn warm_connection(&self) -> Result<(), LmError> {
        let route = if self.is_lm_studio() { Probe::Greeting.path() } else { Probe::OpenaiModels.path() };
        match self.http.get(route, QUESTION_LIMIT).await {
            Err(error @ LmError::NotRunning { .. }) => Err(error),
            _ => Ok(()), // the request itself will tell what is wrong
        }
    }

    /// Longest silence before the first token. A v0 answer comes in one piece, after as long as it takes.
    fn first_limit(&self) -> Duration {
        match self.api {
            Api::LmstudioV0 => self.options.total_timeout,
            Api::LmstudioV1 | Api::Openai => self.options.idle_timeout,
        }
    }

    fn deadline(&self, total: Instant, silence: Duration, waiting: Waiting) -> Deadline {
        let silent_until = Instant::now() + silence;
        if total <= silent_until {
            Deadline { at: total, limit: self.options.total_timeout, waiting: Waiting::WholeAnswer }
        } else {
            Deadline { at: silent_until, limit: silence, waiting }
        }
    }
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    limit: Duration,
    waiting: Waiting,
}

impl Deadline {
    async fn wait<T>(self, future: impl Future<Output = T>) -> Result<T, LmError> {
        within(self.at, self.limit, self.waiting, future).await
    }
}

/// One request whose headers have arrived with a good status.
struct Run<'a> {
    client: &'a Client,
    route: &'static str,
    request: &'a GenerationRequest,
    sent: MonotonicTime,
    headers: MonotonicTime,
    total: Instant,
    events: &'a UnboundedSender<GenerationEvent>,
}

impl Run<'_> {
    async fn stream(&mut self, mut response: Response) -> Result<Generation, GenerateError> {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with("application/json")) {
            return Err(self.not_a_stream(response).await.into());
        }
        let mut reader = StreamReader::new(self.client.api, self.sent, self.request.max_tokens);
        reader.headers(self.headers);
        let mut news = Vec::new();
        loop {
            let (silence, waiting) = if reader.has_text() {
                (self.client.options.stall_timeout, Waiting::NextPart)
            } else {
                (self.client.options.idle_timeout, Waiting::FirstToken)
            };
            let read = self.client.deadline(self.total, silence, waiting).wait(response.chunk()).await;
            let at = self.client.clock.now();
            match read {
                Ok(Ok(Some(bytes))) => {
                    let parsed = reader.push(at, &bytes, &mut news);
                    self.announce(&mut news);
                    if let Err(problem) = parsed {
                        return Err(reader.fail(at, bad(self.route, problem)));
                    }
                }
                Ok(Ok(None)) => {
                    let finished = reader.finish(at, &mut news);
                    self.announce(&mut news);
                    return finished;
                }
                Ok(Err(source)) => return Err(reader.fail(at, LmError::StreamCut { source: Some(source) })),
                Err(timeout) => return Err(reader.fail(at, timeout)),
            }
            if reader.has_ended() {
                let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
                let _ = tokio::time::timeout(CLOSING_LIMIT, rest).await;
                return reader.finish(at, &mut news);
            }
        }
    }

    async fn whole(&mut self, mut response: Response) -> Result<Generation, GenerateError> {
        let deadline = self.client.deadline(self.total, self.client.first_limit(), Waiting::WholeAnswer);
        let body = deadline.wait(self.client.http.read_body(&mut response, self.route)).await??;
        let at = self.client.clock.now();
        let value = parse_json(&body).map_err(|problem| bad(self.route, problem))?;
        if error_in(&value).is_some() {
            return Err(self.client.refusal(response.status().as_u16(), &body, &self.request.model).into());
        }
        let mut assembler = Assembler::new(self.client.api, self.sent, self.request.max_tokens);
        assembler.headers(self.headers);
        let facts = v0::parse_answer(&value).map_err(|problem| bad(self.route, problem))?;
        let mut news = Vec::new();
        for fact in facts {
            assembler.apply(at, fact, &mut news);
        }
        self.announce(&mut news);
        assembler.finish(at)
    }

    /// The error for a body that came although a stream was asked for.
    async fn not_a_stream(&self, mut response: Response) -> LmError {
        let deadline = self.client.deadline(self.total, self.client.options.idle_timeout, Waiting::Answer);
        let body = match deadline.wait(self.client.http.read_body(&mut response, self.route)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) | Err(error) => return error,
        };
        match parse_json(&body).as_ref().map(error_in) {
            Ok(Some(_)) => self.client.refusal(response.status().as_u16(), &body, &self.request.model),
            _ => bad(self.route, BadBody::NotAStream),
        }
    }

    fn announce(&self, news: &mut Vec<GenerationEvent>) {
        for event in news.drain(..) {
            let _ = self.events.send(self.client.mask.event(event));
        }
    }
}
