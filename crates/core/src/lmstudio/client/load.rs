//! Loads over v1 that leave nothing behind.
//!
//! LM Studio finishes a load whose client has gone, and a model that was loaded on request has no idle limit: nobody
//! would unload it. So until the caller has the loaded model, a [`Load`] stands for what the server may be making of the
//! request. Dropped before, it goes on in a task of its own, which waits for the answer, or watches the list where the
//! answer is lost, and unloads what came of it. All of that is bounded and best effort; what may have stayed is told.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Client, QUESTION_LIMIT, V1_LOAD, V1_UNLOAD, bad, models_probe, parse_models};
use crate::lmstudio::error::{LmError, Waiting};
use crate::lmstudio::http::{Http, Reply};
use crate::lmstudio::payload::{error_in, parse_json};
use crate::lmstudio::{Api, Model, SelectedModel, v1};

/// How long the answer to an abandoned load is waited for.
const ABANDONED_LIMIT: Duration = Duration::from_secs(120);
/// How long the list is watched for an instance whose load was not answered, or that was not unloaded at once.
const WATCH_LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Client {
    /// Loads `model`, which has no instance in `listed`.
    pub(super) async fn load(&self, model: Model, listed: &[Model]) -> Result<SelectedModel, LmError> {
        let mut load = Load::new(self, &model.key, listed);
        let reply = load.ask(self.options.total_timeout).await?;
        let answer = match self.accepted(reply, V1_LOAD, &model.key) {
            Err(LmError::Http { message, .. } | LmError::NotReady { message }) => {
                return Err(LmError::LoadFailed { key: model.key, message });
            }
            other => other?,
        };
        let loaded = v1::parse_loaded(&answer).map_err(|problem| bad(V1_LOAD, problem))?;
        // What was allocated can differ from what was asked for, so the list has the last word, where it can be had.
        let listed = self.list().await.unwrap_or_default();
        load.keep();
        let found = listed.into_iter().find(|model| model.instance_id.as_ref() == Some(&loaded.instance_id));
        let model = found.unwrap_or(Model {
            instance_id: Some(loaded.instance_id),
            loaded: Some(true),
            context_length: loaded.context_length,
            ..model
        });
        Ok(SelectedModel { model, loaded_by_us: true, load_time_s: loaded.load_time_s, others_loaded: Vec::new() })
    }

    /// True while a load that was abandoned or failed is being undone.
    #[must_use]
    pub fn is_undoing_a_load(&self) -> bool {
        self.undoing.0.borrow().running > 0
    }

    /// Waits until every load that was abandoned or failed is undone: at once where there is none, else up to a few
    /// minutes. Call it before the runtime ends, or the undoing ends with it. Cancel-safe.
    ///
    /// Returns the keys of models that may be loaded still, because the server did not say or would not unload them;
    /// each is told once.
    pub async fn undo_loads(&self) -> Vec<String> {
        self.undoing.wait().await;
        let mut left_loaded = Vec::new();
        self.undoing.0.send_modify(|pending| left_loaded = std::mem::take(&mut pending.left_loaded));
        left_loaded.iter().map(|key| self.mask.masked(key)).collect()
    }
}

/// The loads of one client that are being undone.
#[derive(Clone, Debug, Default)]
pub(super) struct Undoing(Arc<watch::Sender<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    running: usize,
    left_loaded: Vec<String>,
}

impl Undoing {
    /// Waits until none is running.
    pub(super) async fn wait(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|pending| pending.running == 0).await;
    }

    fn begin(&self, key: &str) -> Running {
        self.0.send_modify(|pending| pending.running += 1);
        Running { of: self.clone(), left_loaded: Some(key.to_owned()) }
    }
}

/// One undoing, from beginning to end. Ends when dropped, however that comes.
struct Running {
    of: Undoing,
    left_loaded: Option<String>,
}

impl Running {
    fn left_nothing(mut self) {
        self.left_loaded = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.of.0.send_modify(|pending| {
            pending.running -= 1;
            pending.left_loaded.extend(self.left_loaded.take());
        });
    }
}

/// What a load may have left on the server.
enum Left {
    Nothing,
    /// The answer was lost on its way.
    Unknown,
    Instance(String),
}

impl Left {
    fn by(reply: &Result<Reply, LmError>) -> Self {
        let reply = match reply {
            Ok(reply) => reply,
            Err(LmError::NotRunning { .. } | LmError::ClientSetup { .. }) => return Self::Nothing, // it never got there
            Err(_) => return Self::Unknown,
        };
        match reply.status {
            200..=299 => match parse_json(&reply.body) {
                Ok(body) if error_in(&body).is_some() => Self::Nothing,
                Ok(body) => v1::parse_loaded(&body).map_or(Self::Unknown, |loaded| Self::Instance(loaded.instance_id)),
                Err(_) => Self::Unknown,
            },
            502 | 504 => Self::Unknown, // a proxy lost patience, not the server
            _ => Self::Nothing,
        }
    }
}

/// A load that is undone when this is dropped, unless it was [kept](Load::keep).
struct Load {
    target: Target,
    asked: Option<BoxFuture<'static, Result<Reply, LmError>>>,
    left: Left,
    undoing: Undoing,
    runtime: Handle,
}

impl Load {
    fn new(client: &Client, key: &str, listed: &[Model]) -> Self {
        let target = Target {
            http: Arc::clone(&client.http),
            key: key.to_owned(),
            before: listed.iter().filter_map(|model| model.instance_id.clone()).collect(),
        };
        Self {
            target,
            asked: None,
            left: Left::Nothing,
            undoing: client.undoing.clone(),
            runtime: Handle::current(), // a future may be dropped outside of it
        }
    }

    /// Asks for the load and waits for the answer, up to `limit`.
    async fn ask(&mut self, limit: Duration) -> Result<Reply, LmError> {
        let Target { http, key, .. } = self.target.clone();
        let post = async move {
            let body = v1::LoadBody { model: &key, echo_load_config: true };
            http.post(V1_LOAD, &body, limit, Waiting::ModelLoad).await
        };
        let reply = self.asked.insert(post.boxed()).await;
        self.asked = None;
        self.left = Left::by(&reply);
        reply
    }

    /// The caller has the model now.
    fn keep(mut self) {
        self.left = Left::Nothing;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let asked = self.asked.take();
        let left = std::mem::replace(&mut self.left, Left::Nothing);
        if asked.is_none() && matches!(left, Left::Nothing) {
            return;
        }
        let target = self.target.clone();
        let running = self.undoing.begin(&target.key);
        self.runtime.spawn(async move {
            let left = match asked {
                // The connection is kept: the answer names the instance, and comes when there is something to unload.
                Some(asked) => match timeout(ABANDONED_LIMIT, asked).await {
                    Ok(reply) => Left::by(&reply),
                    Err(_) => return,
                },
                None => left,
            };
            if target.is_rid_of(left).await {
                running.left_nothing();
            }
        });
    }
}

/// The model that a load is for.
#[derive(Clone)]
struct Target {
    http: Arc<Http>,
    key: String,
    /// Instances that were there before, of any model.
    before: Vec<String>,
}

impl Target {
    /// Unloads what is left; true when nothing is.
    async fn is_rid_of(&self, left: Left) -> bool {
        match left {
            Left::Nothing => return true,
            Left::Instance(instance_id) if self.unload(&instance_id).await => return true,
            Left::Instance(_) | Left::Unknown => {}
        }
        timeout(WATCH_LIMIT, self.watch()).await.unwrap_or(false)
    }

    /// Waits for a new instance of the model and unloads it. Several new ones are left alone: others load models too.
    async fn watch(&self) -> bool {
        loop {
            match self.new_instances().await.as_deref() {
                Ok([only]) if self.unload(only).await => return true,
                Err(LmError::NotRunning { .. }) => return true, // its models are gone with it
                _ => sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn new_instances(&self) -> Result<Vec<String>, LmError> {
        let route = models_probe(Api::LmstudioV1).path();
        let reply = self.http.get(route, QUESTION_LIMIT).await?;
        let body = parse_json(&reply.body).map_err(|problem| bad(route, problem))?;
        let models = parse_models(Api::LmstudioV1, &body)?.into_iter().filter(|model| model.key == self.key);
        let instances = models.filter_map(|model| model.instance_id);
        Ok(instances.filter(|instance_id| !self.before.contains(instance_id)).collect())
    }

    /// True when the instance is gone, if only because it was gone already.
    async fn unload(&self, instance_id: &str) -> bool {
        let body = v1::UnloadBody { instance_id };
        match self.http.post(V1_UNLOAD, &body, QUESTION_LIMIT, Waiting::Answer).await {
            Ok(reply) if reply.is_success() => parse_json(&reply.body).is_ok_and(|body| error_in(&body).is_none()),
            Ok(reply) => reply.status == 404,
            Err(_) => false,
        }
    }
}
