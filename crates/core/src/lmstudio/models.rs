//! Which of the listed models a run is to use. Pure.

use super::error::LmError;
use super::{Api, Generation, Model};

/// A choice out of a model list.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The model; one of its instances when it is loaded.
    pub model: Model,
    /// Other loaded models that could have been meant, by instance; not empty only when none was named.
    pub others_loaded: Vec<String>,
}

/// Chooses the model named `key`, or the loaded one when none is named.
///
/// A name fits a key or an instance exactly, else one key or instance as a part of it, in any case.
///
/// # Errors
/// [`LmError::NoModelLoaded`], [`LmError::ModelChoiceNeeded`] (several, and the server does not say which is loaded),
/// [`LmError::ModelNotFound`], [`LmError::AmbiguousModel`]; each lists what there is.
pub fn choose(models: &[Model], key: Option<&str>) -> Result<Choice, LmError> {
    let candidates: Vec<&Model> = models.iter().filter(|model| model.generates_text).collect();
    match key {
        Some(key) => choose_named(&candidates, key),
        None => choose_loaded(&candidates),
    }
}

fn choose_loaded(candidates: &[&Model]) -> Result<Choice, LmError> {
    let loaded: Vec<&Model> = candidates.iter().copied().filter(|model| model.loaded == Some(true)).collect();
    if let Some((first, others)) = loaded.split_first() {
        let others_loaded = others.iter().map(|model| id(model).to_owned()).collect();
        return Ok(Choice { model: (*first).clone(), others_loaded });
    }
    let unknown: Vec<&Model> = candidates.iter().copied().filter(|model| model.loaded.is_none()).collect();
    match unknown.as_slice() {
        [] => Err(LmError::NoModelLoaded { available: keys(candidates) }),
        [only] => Ok(Choice { model: (*only).clone(), others_loaded: Vec::new() }),
        _ => Err(LmError::ModelChoiceNeeded { available: keys(candidates) }),
    }
}

fn choose_named(candidates: &[&Model], wanted: &str) -> Result<Choice, LmError> {
    let chosen = |model: &Model| Ok(Choice { model: model.clone(), others_loaded: Vec::new() });
    let exact = candidates.iter().find(|model| model.instance_id.as_deref() == Some(wanted));
    if let Some(model) = exact.or_else(|| candidates.iter().find(|model| model.key == wanted)) {
        return chosen(model);
    }
    let wanted_lower = wanted.to_lowercase();
    let fits = |name: &str| name.to_lowercase().contains(&wanted_lower);
    let fitting: Vec<&Model> = candidates
        .iter()
        .copied()
        .filter(|model| fits(&model.key) || model.instance_id.as_deref().is_some_and(fits))
        .collect();
    let matches = keys(&fitting);
    match (fitting.first(), matches.len()) {
        (Some(model), 1) if !wanted.is_empty() => chosen(model),
        (Some(_), _) if !wanted.is_empty() => Err(LmError::AmbiguousModel { key: wanted.to_owned(), matches }),
        _ => Err(LmError::ModelNotFound { key: wanted.to_owned(), available: keys(candidates) }),
    }
}

/// Keys without repetition, in the server's order.
pub(super) fn keys(models: &[&Model]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for model in models {
        if !keys.contains(&model.key) {
            keys.push(model.key.clone());
        }
    }
    keys
}

/// What to send as `model`: the instance when there is one, so that no second one is loaded.
#[must_use]
pub fn id(model: &Model) -> &str {
    model.instance_id.as_deref().unwrap_or(&model.key)
}

/// The model that answered, when it is not the one that was asked: on `/v1`, LM Studio lets the only loaded model
/// answer for any name, and llama.cpp does the same. `None` when they agree or the server does not say.
#[must_use]
pub fn answered_by_another<'a>(generation: &'a Generation, asked: &Model) -> Option<&'a str> {
    let answered = generation.answered_by.as_deref()?;
    // A server that lists one model under one name and answers under another (mlx_lm says `default_model`) is
    // reported as well: it is for the reader to judge.
    let same = answered == asked.key || asked.instance_id.as_deref() == Some(answered);
    let sibling = generation.api == Api::LmstudioV1
        && answered.strip_prefix(asked.key.as_str()).is_some_and(|rest| rest.starts_with(':'))
        && asked.instance_id.is_none();
    (!same && !sibling).then_some(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(key: &str, instance: Option<&str>, loaded: Option<bool>) -> Model {
        Model {
            key: key.into(),
            instance_id: instance.map(str::to_owned),
            loaded,
            generates_text: true,
            ..Default::default()
        }
    }

    fn listed() -> Vec<Model> {
        let embedding = Model { generates_text: false, ..model("embed", Some("embed"), Some(true)) };
        vec![
            embedding,
            model("qwen/qwen3-4b", None, Some(false)),
            model("google/gemma-3-1b", Some("google/gemma-3-1b"), Some(true)),
            model("google/gemma-3-1b", Some("google/gemma-3-1b:2"), Some(true)),
            model("google/gemma-3-12b", None, Some(false)),
        ]
    }

    #[test]
    fn first_loaded_language_model_is_taken_and_the_others_are_named() {
        let choice = choose(&listed(), None).unwrap();
        assert_eq!(id(&choice.model), "google/gemma-3-1b");
        assert_eq!(choice.others_loaded, ["google/gemma-3-1b:2"]);
    }

    #[test]
    fn nothing_loaded_lists_what_could_be() {
        let models = vec![model("a", None, Some(false)), model("b", None, Some(false))];
        let error = choose(&models, None).unwrap_err();
        assert!(matches!(error, LmError::NoModelLoaded { available } if available == ["a", "b"]));
    }

    #[test]
    fn server_that_does_not_tell_what_is_loaded_needs_a_name_unless_it_has_one_model() {
        let models = vec![model("a", None, None), model("b", None, None)];
        assert!(matches!(choose(&models, None), Err(LmError::ModelChoiceNeeded { .. })));
        assert_eq!(choose(&models[..1], None).unwrap().model.key, "a");
    }

    #[test]
    fn names_fit_by_key_by_instance_and_by_a_unique_part() {
        let models = listed();
        let chosen = |key: &str| choose(&models, Some(key)).map(|choice| id(&choice.model).to_owned());
        assert_eq!(chosen("google/gemma-3-1b:2").unwrap(), "google/gemma-3-1b:2");
        assert_eq!(chosen("google/gemma-3-1b").unwrap(), "google/gemma-3-1b");
        assert_eq!(chosen("QWEN").unwrap(), "qwen/qwen3-4b");
        assert_eq!(chosen("gemma-3-12").unwrap(), "google/gemma-3-12b");
        let error = chosen("gemma").unwrap_err();
        assert!(
            matches!(error, LmError::AmbiguousModel { matches, .. } if matches == ["google/gemma-3-1b", "google/gemma-3-12b"])
        );
        assert!(matches!(chosen("llama"), Err(LmError::ModelNotFound { .. })));
        assert!(matches!(chosen("embed"), Err(LmError::ModelNotFound { .. })), "an embedding model can't answer");
        assert!(matches!(chosen(""), Err(LmError::ModelNotFound { .. })));
    }
}
