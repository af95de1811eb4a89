//! The client: asks a server what it is and what it has, loads and unloads. Thin; every decision and every parser is
//! in the pure modules beside it. Generations are in `generate`, loads over v1 and what undoes them in `load`.
//!
//! Its public functions are the border that no text of the server crosses without the mask that hides the API token.
//! Inside, names are as the server gave them.

mod generate;
mod load;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use self::load::Undoing;
use super::detect::{Detection, Maker, Probe, Step};
use super::error::{BadBody, LmError, Waiting};
use super::http::{Http, Reply};
use super::mask::Mask;
use super::payload::{Meaning, error_in, parse_json, refusal_in, text};
use super::token::ApiToken;
use super::{Api, Engine, GenerationRequest, Model, models, openai, v0, v1};
use crate::clock::Clock;

const GREETING_LIMIT: Duration = Duration::from_secs(1);
const QUESTION_LIMIT: Duration = Duration::from_secs(15);
const STATUS_LIMIT: Duration = Duration::from_millis(500);
/// A first tiny call may have to wait for a model to be loaded by itself.
const TINY_CALL_LIMIT: Duration = Duration::from_secs(600);
/// Where LM Studio's own tools find it; the only plain HTTP source of its version. Loopback only.
const STATUS_PORTS: [u16; 5] = [41343, 52993, 16141, 39414, 22931];

const V1_CHAT: &str = "/api/v1/chat";
const V1_LOAD: &str = "/api/v1/models/load";
const V1_UNLOAD: &str = "/api/v1/models/unload";
const V0_CHAT: &str = "/api/v0/chat/completions";
const OPENAI_CHAT: &str = "/v1/chat/completions";
const PROPS: &str = "/props";
const STATUS: &str = "/lms-status";

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Address, `http://127.0.0.1:1234`; the paths of the known APIs at its end are dropped.
    pub url: String,
    /// Token to send, if any.
    pub api_token: Option<ApiToken>,
    /// Longest wait for a TCP connection.
    pub connect_timeout: Duration,
    /// Longest silence before the first token. Generous: a long prefill sends nothing.
    pub idle_timeout: Duration,
    /// Longest silence after the first token.
    pub stall_timeout: Duration,
    /// Longest time for one whole generation, and for one model load.
    pub total_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:1234".to_owned(),
            api_token: None,
            connect_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(600),
            stall_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(3600),
        }
    }
}

/// A model that a session will use.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedModel {
    /// The model; its instance and context as the server lists them after loading.
    pub model: Model,
    /// True when this client loaded it. [`Client::release`] then unloads it.
    pub loaded_by_us: bool,
    /// The server's own load time in seconds, when this client loaded it and the server said so.
    pub load_time_s: Option<f64>,
    /// Other loaded models that could have been meant, by instance: not empty only when none was named.
    pub others_loaded: Vec<String>,
}

/// A connection to one server over one API, fixed for the client's life.
///
/// Where the server repeats the API token, all or much of it, `*` stands in its place in whatever the client returns,
/// errors included. A model whose name is masked like that can be asked for by the masked name.
pub struct Client {
    http: Arc<Http>,
    mask: Mask,
    clock: Clock,
    options: ClientOptions,
    api: Api,
    maker: Maker,
    app_version: Option<String>,
    /// Models of the last listing: what a request may ask of them, and what an error can offer.
    known: Mutex<Vec<Model>>,
    undoing: Undoing,
}

// By hand: the models are as the server named them.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Client");
        shown.field("http", &self.http).field("api", &self.api).field("maker", &self.maker).finish_non_exhaustive()
    }
}

impl Client {
    /// Finds out what answers at `options.url` and fixes the API. Instants will be read from `clock`.
    ///
    /// # Errors
    /// [`LmError::BadUrl`], [`LmError::NotRunning`], [`LmError::WrongServer`], [`LmError::TokenNeeded`],
    /// [`LmError::TokenRefused`], [`LmError::NotReady`], [`LmError::Http`]; [`LmError::Timeout`] and
    /// [`LmError::Connection`] when LM Studio greets and then does not list its models.
    pub async fn connect(options: ClientOptions, clock: Clock) -> Result<Self, LmError> {
        let mask = Mask::new(options.api_token.as_ref());
        Self::open(options, clock, mask.clone()).await.map_err(|error| mask.error(error))
    }

    async fn open(options: ClientOptions, clock: Clock, mask: Mask) -> Result<Self, LmError> {
        let http = Arc::new(Http::new(&options)?);
        let (api, maker, body) = detect(&http, options.connect_timeout).await?;
        let known = Mutex::new(parse_models(api, &body)?);
        let undoing = Undoing::default();
        let mut client = Self { http, mask, clock, options, api, maker, app_version: None, known, undoing };
        match maker {
            Maker::LmStudio => {
                client.app_version = client.find_app_version().await.map(|version| client.mask.masked(&version))
            }
            Maker::Other if client.props().await.is_some() => client.maker = Maker::LlamaCpp,
            _ => {}
        }
        Ok(client)
    }

    /// The API that was found.
    #[must_use]
    pub fn api(&self) -> Api {
        self.api
    }

    /// The server's address, without a slash or an API's path at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.http.base()
    }

    /// True for LM Studio and products derived from it.
    #[must_use]
    pub fn is_lm_studio(&self) -> bool {
        self.maker == Maker::LmStudio
    }

    /// Who made the server.
    #[must_use]
    pub fn maker(&self) -> Maker {
        self.maker
    }

    /// True when the server says that it is the project's own simulator.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.http.is_simulated()
    }

    /// LM Studio's version, where it runs on this machine and tells it.
    #[must_use]
    pub fn app_version(&self) -> Option<&str> {
        self.app_version.as_deref()
    }

    /// Lists the models; a model with several loaded instances has one entry for each.
    ///
    /// # Errors
    /// [`LmError`]: the server is gone, refuses, or answers with something else.
    pub async fn models(&self) -> Result<Vec<Model>, LmError> {
        let listed = self.list().await.map_err(|error| self.mask.error(error))?;
        Ok(listed.into_iter().map(|model| self.mask.model(model)).collect())
    }

    async fn list(&self) -> Result<Vec<Model>, LmError> {
        let route = models_probe(self.api).path();
        let reply = self.http.get(route, QUESTION_LIMIT).await?;
        let body = self.accepted(reply, route, "")?;
        let mut models = parse_models(self.api, &body)?;
        if self.maker == Maker::LlamaCpp
            && let ([model], Some(props)) = (models.as_mut_slice(), self.props().await)
        {
            model.parallel = openai::parse_slots(&props);
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&models);
        Ok(models)
    }

    /// Chooses the model named `key` (key, instance, or a unique part of one), or the loaded one. On v1 a model that
    /// is not loaded is loaded now and its context read back; on v0 one tiny request makes the server load it.
    ///
    /// When this future is dropped, or fails, while a v1 server loads, the model is unloaded again in the background:
    /// wait for it with [`Client::undo_loads`]. The next selection waits by itself. A v0 server unloads it by its own
    /// idle limit.
    ///
    /// # Errors
    /// See [`models::choose`]; [`LmError::OutOfMemory`] and [`LmError::LoadFailed`] when loading fails.
    pub async fn select_model(&self, key: Option<&str>) -> Result<SelectedModel, LmError> {
        let selected = self.select(key).await;
        selected.map(|selected| self.mask.selected(selected)).map_err(|error| self.mask.error(error))
    }

    async fn select(&self, key: Option<&str>) -> Result<SelectedModel, LmError> {
        self.undoing.wait().await; // or a model might be chosen that is about to be unloaded
        let listed = self.list().await?;
        let key = key.map(|key| self.unmasked(key));
        let key = key.as_deref();
        if let (Some(key), Api::Openai, []) = (key, self.api, listed.as_slice()) {
            // A server that lists nothing may still answer to a name.
            let model = Model { key: key.to_owned(), generates_text: true, ..Default::default() };
            return Ok(SelectedModel { model, loaded_by_us: false, load_time_s: None, others_loaded: Vec::new() });
        }
        let choice = models::choose(&listed, key)?;
        match (choice.model.loaded, self.api) {
            (Some(false), Api::LmstudioV1) => self.load(choice.model, &listed).await,
            (Some(false), Api::LmstudioV0) => self.load_by_asking(choice.model).await,
            _ => Ok(SelectedModel {
                model: choice.model,
                loaded_by_us: false,
                load_time_s: None,
                others_loaded: choice.others_loaded,
            }),
        }
    }

    async fn load_by_asking(&self, model: Model) -> Result<SelectedModel, LmError> {
        self.tiny_call(&model.key).await?;
        let listed = self.list().await.unwrap_or_default();
        let found = listed.into_iter().find(|listed| listed.key == model.key);
        let model = found.unwrap_or(Model { loaded: Some(true), ..model });
        Ok(SelectedModel { model, loaded_by_us: true, load_time_s: None, others_loaded: Vec::new() })
    }

    /// Unloads what [`Client::select_model`] loaded, and nothing else. v0 has no such route: there the server's own
    /// idle limit unloads it. A model that is gone already is no error.
    ///
    /// # Errors
    /// [`LmError`]: the server is gone or refuses.
    pub async fn release(&self, selected: &SelectedModel) -> Result<(), LmError> {
        let (true, Api::LmstudioV1, Some(instance_id)) =
            (selected.loaded_by_us, self.api, selected.model.instance_id.as_deref())
        else {
            return Ok(());
        };
        let instance_id = self.unmasked(instance_id);
        self.unload(&instance_id).await.map_err(|error| self.mask.error(error))
    }

    async fn unload(&self, instance_id: &str) -> Result<(), LmError> {
        let body = v1::UnloadBody { instance_id };
        let reply = self.http.post(V1_UNLOAD, &body, QUESTION_LIMIT, Waiting::Answer).await?;
        match self.accepted(reply, V1_UNLOAD, instance_id) {
            Err(LmError::ModelNotFound { .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The engine behind a loaded model. LM Studio tells it only in a v0 answer, so this makes it generate one token:
    /// call it outside of everything that is timed. llama.cpp tells its build. Unknown elsewhere, and on any failure.
    pub async fn engine(&self, model: &Model) -> Engine {
        let engine = match self.maker {
            Maker::LmStudio if model.loaded != Some(false) => {
                let answer = self.tiny_call(&self.unmasked(models::id(model))).await;
                answer.map(|body| v0::parse_engine(&body)).unwrap_or_default()
            }
            Maker::LlamaCpp => self.props().await.as_ref().and_then(openai::parse_llama_engine).unwrap_or_default(),
            _ => Engine::default(),
        };
        self.mask.engine(engine)
    }

    async fn tiny_call(&self, model: &str) -> Result<Value, LmError> {
        let request = GenerationRequest {
            model: model.to_owned(),
            prompt: "Hi".to_owned(),
            max_tokens: 1,
            temperature: 0.0,
            seed: None,
            reasoning: None,
        };
        let body = openai::ChatBody::whole(&request);
        let reply = self.http.post(V0_CHAT, &body, TINY_CALL_LIMIT, Waiting::Answer).await?;
        self.accepted(reply, V0_CHAT, model)
    }

    /// llama.cpp's properties; `None` from any other server.
    async fn props(&self) -> Option<Value> {
        let reply = self.http.get(PROPS, QUESTION_LIMIT).await.ok().filter(Reply::is_success)?;
        parse_json(&reply.body).ok().filter(|props| openai::parse_llama_engine(props).is_some())
    }

    async fn find_app_version(&self) -> Option<String> {
        let version = |reply: Result<Reply, LmError>| {
            let body = parse_json(&reply.ok().filter(Reply::is_success)?.body).ok()?;
            text(&body, "version").map(str::to_owned)
        };
        let here = version(self.http.get(STATUS, GREETING_LIMIT).await);
        // Elsewhere on this machine another LM Studio may answer; beside a simulator it surely would be another.
        if here.is_some() || !self.http.is_loopback() || self.http.is_simulated() {
            return here;
        }
        let asked = STATUS_PORTS.map(|port| self.http.get_local(port, STATUS, STATUS_LIMIT));
        join_all(asked).await.into_iter().find_map(version)
    }

    /// The body of an answer that grants what was asked; `model` is the one that it was asked for.
    fn accepted(&self, reply: Reply, route: &'static str, model: &str) -> Result<Value, LmError> {
        let refused = |body: &[u8]| self.refusal(reply.status, body, model);
        if !reply.is_success() {
            return Err(refused(&reply.body));
        }
        let body = parse_json(&reply.body).map_err(|problem| bad(route, problem))?;
        match error_in(&body) {
            Some(_) => Err(refused(&reply.body)), // unknown routes answer 200
            None => Ok(body),
        }
    }

    fn refusal(&self, status: u16, body: &[u8], model: &str) -> LmError {
        let message = refusal_in(body);
        // On 404 from load, chat or unload a name is what is missing, even where the wording is not known.
        let unknown_name = status == 404 && !model.is_empty() && message.meaning() == Meaning::Unknown;
        let mut error = message.into_refusal(status, self.base_url(), model, self.http.has_token());
        if unknown_name && self.is_lm_studio() {
            error = LmError::ModelNotFound { key: model.to_owned(), available: Vec::new() };
        }
        if let LmError::ModelNotFound { available, .. } | LmError::NoModelLoaded { available } = &mut error {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            *available = models::keys(&known.iter().filter(|model| model.generates_text).collect::<Vec<_>>());
        }
        error
    }

    /// The server's own name for a model or an instance whose name went out masked; any other name as it is.
    fn unmasked(&self, name: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let names = known.iter().flat_map(|model| [model.instance_id.as_deref(), Some(model.key.as_str())]).flatten();
        let own = names.filter(|_| name.contains('*')).find(|own| self.mask.masked(own) == name);
        own.unwrap_or(name).to_owned()
    }

    /// The request's reasoning setting, if the model is known to offer it.
    fn offered_reasoning<'a>(&self, request: &'a GenerationRequest) -> Option<&'a str> {
        let wanted = request.reasoning.as_deref()?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = known.iter().filter(|model| models::id(model) == request.model || model.key == request.model);
        named.any(|model| model.reasoning_options.iter().any(|option| option == wanted)).then_some(wanted)
    }
}

async fn detect(http: &Http, connect_timeout: Duration) -> Result<(Api, Maker, Value), LmError> {
    let mut detection = Detection::new();
    let mut probe = Probe::Greeting;
    loop {
        let limit = if probe == Probe::Greeting { connect_timeout + GREETING_LIMIT } else { QUESTION_LIMIT };
        let answer = match http.get(probe.path(), limit).await {
            Err(error @ LmError::NotRunning { .. }) => return Err(error),
            answer => answer,
        };
        let reply = answer.as_ref().ok();
        let url = || http.base().to_owned();
        match detection.answer(probe, reply.map(|reply| (reply.status, reply.body.as_slice()))) {
            Step::Ask(next) => probe = next,
            Step::Found(api, maker) => {
                let body = reply.map_or(Value::Null, |reply| parse_json(&reply.body).unwrap_or(Value::Null));
                return Ok((api, maker, body));
            }
            Step::TokenWanted(message) if http.has_token() => {
                return Err(LmError::TokenRefused { url: url(), message });
            }
            Step::TokenWanted(_) => return Err(LmError::TokenNeeded { url: url() }),
            Step::NotReady(message) => return Err(LmError::NotReady { message }),
            Step::Failed(status, message) => return Err(LmError::Http { status, message }),
            Step::Unanswered => answer.map(drop)?, // the error that kept the answer away
            Step::Unknown(found) => return Err(LmError::WrongServer { url: url(), found }),
        }
    }
}

fn models_probe(api: Api) -> Probe {
    match api {
        Api::LmstudioV1 => Probe::V1Models,
        Api::LmstudioV0 => Probe::V0Models,
        Api::Openai => Probe::OpenaiModels,
    }
}

fn parse_models(api: Api, body: &Value) -> Result<Vec<Model>, LmError> {
    let parsed = match api {
        Api::LmstudioV1 => v1::parse_models(body),
        Api::LmstudioV0 => v0::parse_models(body),
        Api::Openai => openai::parse_models(body),
    };
    parsed.map_err(|problem| bad(models_probe(api).path(), problem))
}

fn bad(route: &'static str, problem: BadBody) -> LmError {
    LmError::BadResponse { route, problem }
}
