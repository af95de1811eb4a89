//! Which API a server speaks, decided by the shape of its answers. Pure: the caller does the asking.
//!
//! A status proves nothing, since LM Studio answers 200 to routes that it does not have. A request for a token ends
//! the search, and so does a failure or silence of what is known to be LM Studio: falling back to an older API would
//! only fail later and less clearly, or measure less than it could.

use serde_json::Value;

use super::Api;
use super::payload::{error_in, refusal_in};
use super::{openai, v0, v1};

/// A question to the server, always a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Is it LM Studio?
    Greeting,
    /// Does it speak v1?
    V1Models,
    /// Does it speak v0?
    V0Models,
    /// Is it OpenAI-compatible?
    OpenaiModels,
}

impl Probe {
    /// The route to ask.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Greeting => "/lmstudio-greeting",
            Self::V1Models => "/api/v1/models",
            Self::V0Models => "/api/v0/models",
            Self::OpenaiModels => "/v1/models",
        }
    }
}

/// Who made the server, as far as it matters for what may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// LM Studio, or a product derived from it.
    LmStudio,
    /// llama.cpp's own server.
    LlamaCpp,
    /// Any other.
    Other,
}

/// What to do after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this next.
    Ask(Probe),
    /// The search is over.
    Found(Api, Maker),
    /// The server wants a token, or another one; its words.
    TokenWanted(String),
    /// The server is there but still starting; its words.
    NotReady(String),
    /// LM Studio itself failed: status and words. Falling back would hide it.
    Failed(u16, String),
    /// LM Studio itself gave no answer; the caller knows why. Falling back would hide it.
    Unanswered,
    /// No API that we speak; what the last answer was.
    Unknown(String),
}

/// A search in progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detection {
    is_lm_studio: bool,
}

impl Detection {
    /// Begins a search; the first question is [`Probe::Greeting`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the answer to `probe`: status and body, or `None` if none came in time, or not all of it.
    pub fn answer(&mut self, probe: Probe, reply: Option<(u16, &[u8])>) -> Step {
        let next = match probe {
            Probe::Greeting => Some(Probe::V1Models),
            Probe::V1Models => Some(Probe::V0Models),
            Probe::V0Models => Some(Probe::OpenaiModels),
            Probe::OpenaiModels => None,
        };
        let otherwise = |found: String| next.map_or(Step::Unknown(found), Step::Ask);
        let Some((status, bytes)) = reply else {
            if self.is_lm_studio {
                return Step::Unanswered;
            }
            return otherwise(format!("no answer to GET {}", probe.path()));
        };
        let body = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        if probe == Probe::Greeting {
            // With authentication on, the greeting may be refused too; the next answer tells.
            self.is_lm_studio = body.get("lmstudio") == Some(&Value::Bool(true));
            return Step::Ask(Probe::V1Models);
        }
        match status {
            401 | 403 => return Step::TokenWanted(refusal_in(bytes).message),
            200..=299 => {
                if let Some(found) = self.recognise(probe, &body) {
                    return found;
                }
            }
            503 if next.is_none() => return Step::NotReady(refusal_in(bytes).message),
            500.. if self.is_lm_studio => return Step::Failed(status, refusal_in(bytes).message),
            _ => {}
        }
        let hint = error_in(&body).map(|error| format!(": {}", error.message)).unwrap_or_default();
        otherwise(format!("HTTP status {status} to GET {}{hint}", probe.path()))
    }

    fn recognise(&self, probe: Probe, body: &Value) -> Option<Step> {
        let (api, maker) = match probe {
            Probe::V1Models if v1::is_model_list(body) => (Api::LmstudioV1, Maker::LmStudio),
            Probe::V0Models if v0::is_model_list(body, self.is_lm_studio) => (Api::LmstudioV0, Maker::LmStudio),
            Probe::OpenaiModels if openai::is_model_list(body) => {
                let maker = if self.is_lm_studio || openai::is_owned_by(body, "organization_owner") {
                    Maker::LmStudio
                } else if openai::is_owned_by(body, "llamacpp") {
                    Maker::LlamaCpp
                } else {
                    Maker::Other
                };
                (Api::Openai, maker)
            }
            _ => return None,
        };
        Some(Step::Found(api, maker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: &[u8] = br#"{"lmstudio":true}"#;
    const V1: &[u8] = br#"{"models":[{"key":"a"}]}"#;
    const V0: &[u8] = br#"{"data":[{"id":"a","state":"loaded"}]}"#;
    const OPENAI: &[u8] = br#"{"object":"list","data":[{"id":"a","owned_by":"llamacpp"}]}"#;
    const NO_ROUTE: &[u8] = br#"{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}"#;

    fn search(replies: &[Option<(u16, &[u8])>]) -> Step {
        let mut detection = Detection::new();
        let mut probe = Probe::Greeting;
        for &reply in replies {
            match detection.answer(probe, reply) {
                Step::Ask(next) => probe = next,
                step => return step,
            }
        }
        panic!("undecided after {} replies", replies.len());
    }

    #[test]
    fn status_200_for_an_unknown_route_is_not_taken_for_v1() {
        let step = search(&[Some((200, GREETING)), Some((200, NO_ROUTE)), Some((200, V0))]);
        assert_eq!(step, Step::Found(Api::LmstudioV0, Maker::LmStudio));
    }

    #[test]
    fn v1_is_recognised_by_its_models_even_behind_a_proxy_that_hides_the_greeting() {
        assert_eq!(search(&[None, Some((200, V1))]), Step::Found(Api::LmstudioV1, Maker::LmStudio));
        let empty = br#"{"models":[]}"#;
        assert_eq!(search(&[None, Some((200, empty))]), Step::Found(Api::LmstudioV1, Maker::LmStudio));
    }

    #[test]
    fn a_wanted_token_ends_the_search_without_falling_back() {
        let refusal = br#"{"error":{"type":"invalid_request","code":"invalid_api_key","message":"need one"}}"#;
        for status in [401, 403] {
            let step = search(&[Some((401, refusal)), Some((status, refusal)), Some((200, V0)), Some((200, OPENAI))]);
            assert_eq!(step, Step::TokenWanted("need one".into()));
        }
    }

    #[test]
    fn plain_openai_server_is_found_last() {
        let missing = br#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#;
        let step = search(&[Some((404, missing)), Some((404, missing)), Some((404, missing)), Some((200, OPENAI))]);
        assert_eq!(step, Step::Found(Api::Openai, Maker::LlamaCpp));
        // An OpenAI list under the v1 or v0 route proves neither.
        let step = search(&[None, Some((200, OPENAI)), Some((200, OPENAI)), Some((200, OPENAI))]);
        assert_eq!(step, Step::Found(Api::Openai, Maker::LlamaCpp));
    }

    #[test]
    fn loading_server_is_told_from_a_wrong_one() {
        let loading: &[u8] = br#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;
        assert_eq!(search(&[Some((503, loading)); 4]), Step::NotReady("Loading model".into()));
        let page: &[u8] = b"<html>";
        let step = search(&[Some((404, page)); 4]);
        assert_eq!(step, Step::Unknown("HTTP status 404 to GET /v1/models".into()));
    }

    #[test]
    fn failure_of_lm_studio_is_not_hidden_by_an_older_api() {
        let step = search(&[Some((200, GREETING)), Some((500, br#"{"error":"boom"}"#)), Some((200, V0))]);
        assert_eq!(step, Step::Failed(500, "boom".into()));
    }

    #[test]
    fn silence_of_lm_studio_is_not_hidden_by_an_older_api() {
        assert_eq!(search(&[Some((200, GREETING)), None, Some((200, V0))]), Step::Unanswered);
        assert_eq!(
            search(&[Some((200, GREETING)), Some((200, NO_ROUTE)), None, Some((200, OPENAI))]),
            Step::Unanswered
        );
        let step = search(&[Some((404, b"")), None, None, Some((200, OPENAI))]);
        assert_eq!(step, Step::Found(Api::Openai, Maker::LlamaCpp), "others may drop what they don't know");
    }

    #[test]
    fn lm_studio_without_models_is_still_lm_studio() {
        let nothing = br#"{"data":[]}"#;
        let step = search(&[Some((200, GREETING)), Some((200, NO_ROUTE)), Some((200, nothing))]);
        assert_eq!(step, Step::Found(Api::LmstudioV0, Maker::LmStudio));
        let step = search(&[Some((404, b"")), Some((404, b"")), Some((200, nothing)), Some((200, nothing))]);
        assert_eq!(step, Step::Found(Api::Openai, Maker::Other));
    }
}
