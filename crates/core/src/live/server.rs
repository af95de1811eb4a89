//! Looking after the server: is it there, and which model would be measured.

use super::state::{ModelSummary, ServerState};
use crate::clock::Clock;
use crate::lmstudio::{Client, ClientOptions, LmError, Model};

impl From<&Model> for ModelSummary {
    fn from(model: &Model) -> Self {
        Self {
            key: model.key.clone(),
            display_name: model.display_name.clone(),
            quantization: model.quantization.clone(),
            format: model.format.clone(),
            bits_per_weight: model.bits_per_weight,
            size_bytes: model.size_bytes,
            context_length: model.context_length.or(model.max_context_length),
            loaded: model.loaded,
        }
    }
}

/// Asks the server what it has. Loads nothing and generates nothing.
pub async fn look(options: &ClientOptions, clock: Clock) -> ServerState {
    let url = options.url.clone();
    let found = async {
        let client = Client::connect(options.clone(), clock).await?;
        let models = client.models().await?;
        Ok::<_, LmError>((client, models))
    };
    match found.await {
        Ok((client, models)) => state(&client, &models, url),
        Err(error) => failed(&error, url),
    }
}

fn state(client: &Client, models: &[Model], url: String) -> ServerState {
    let able: Vec<&Model> = models.iter().filter(|model| model.generates_text).collect();
    let loaded: Vec<&Model> = able.iter().copied().filter(|model| model.loaded != Some(false)).collect();
    let Some((model, others)) = loaded.split_first() else {
        return ServerState::NoModel { url, models: able.into_iter().map(ModelSummary::from).collect() };
    };
    ServerState::Ready {
        url,
        model: ModelSummary::from(*model),
        others_loaded: others.iter().map(|model| model.key.clone()).collect(),
        lm_studio: client.is_lm_studio(),
        version: client.app_version().map(str::to_owned),
        simulated: client.is_simulated(),
    }
}

fn failed(error: &LmError, url: String) -> ServerState {
    match error {
        LmError::NotRunning { .. } => ServerState::NotRunning { url },
        LmError::TokenNeeded { .. } => ServerState::TokenNeeded { url },
        LmError::TokenRefused { .. } => ServerState::TokenRefused { url },
        error => ServerState::Failed { url, message: error.to_string() },
    }
}
