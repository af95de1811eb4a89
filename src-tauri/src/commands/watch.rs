//! What is so now, sent to a page as it changes: gathered, a few messages a second, nothing while the page is hidden.

use std::time::Duration;

use joulebar_core::live::state::{LiveMessage, LiveSample, PhaseSpan, Snapshot};
use joulebar_core::live::{Live, Subscription};
use tauri::ipc::Channel;
use tauri::{State, WebviewWindow};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::error::Answer;
use crate::state::AppState;

/// The first change after a pause is told so soon, with what comes in the same frame.
const FRAME: Duration = Duration::from_millis(33);
/// Shortest time between two messages: a page that draws at every token would cost more than the sampling does.
const BETWEEN: Duration = Duration::from_millis(225);

/// Follows what is so on a channel, as long as the page wants; the number ends it.
#[tauri::command]
pub async fn watch(window: WebviewWindow, state: State<'_, AppState>, channel: Channel<LiveMessage>) -> Answer<u32> {
    let (live, shown) = (state.live.clone(), state.shown());
    let page = window.clone();
    let task = tauri::async_runtime::spawn(async move { follow(live, shown, page, channel).await });
    Ok(state.keep(window.label(), task))
}

/// Ends what `watch` began.
#[tauri::command]
pub async fn unwatch(state: State<'_, AppState>, id: u32) -> Answer<()> {
    state.end(id);
    Ok(())
}

/// What a page has yet to be told.
#[derive(Debug, Default)]
struct Backlog {
    /// The snapshot changed since it was sent.
    snapshot: bool,
    /// Samples since the last message, oldest first.
    samples: Vec<LiveSample>,
    /// End of the newest sample that was taken in, nanoseconds on the live clock; `None` before the first.
    newest_ns: Option<i64>,
}

impl Backlog {
    /// Takes a sample in, unless it was there already: the first minute and the stream after it may share one.
    fn add(&mut self, sample: LiveSample) {
        if self.newest_ns.is_none_or(|newest| sample.end_ns > newest) {
            self.newest_ns = Some(sample.end_ns);
            self.samples.push(sample);
        }
    }

    /// Begins again with a fresh minute, in place of samples that were missed.
    fn start_over(&mut self, minute: Vec<LiveSample>) {
        self.newest_ns = minute.last().map(|sample| sample.end_ns).or(self.newest_ns);
        self.samples = minute;
    }
}

async fn follow(live: Live, mut shown: Receiver<u32>, page: WebviewWindow, channel: Channel<LiveMessage>) {
    // sampling is slow again while nobody can see it
    let mut observer = Some(live.observe());
    let mut changes = live.changes();
    let mut subscription = live.subscribe();
    let mut phases = Vec::new();
    let mut backlog = Backlog { snapshot: true, ..Backlog::default() };
    backlog.start_over(std::mem::take(&mut subscription.recent));
    if !tell(&live, &mut changes, &mut backlog, &mut phases, &channel) {
        return;
    }
    let mut told = Instant::now();
    loop {
        tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => backlog.snapshot = true,
                Err(_) => return,
            },
            sample = subscription.samples.recv() => match sample {
                Ok(sample) => backlog.add(sample),
                Err(RecvError::Lagged(_)) => start_over(&live, &mut subscription, &mut backlog),
                Err(RecvError::Closed) => return,
            },
            shown = shown.changed() => if shown.is_err() { return },
        }
        tokio::time::sleep_until((told + BETWEEN).max(Instant::now() + FRAME)).await;
        told = Instant::now();
        if !page.is_visible().unwrap_or(false) {
            observer = None;
            backlog.samples.clear();
            continue;
        }
        if observer.is_none() {
            observer = Some(live.observe());
            backlog.snapshot = true;
            start_over(&live, &mut subscription, &mut backlog);
        }
        loop {
            match subscription.samples.try_recv() {
                Ok(sample) => backlog.add(sample),
                Err(TryRecvError::Lagged(_)) => start_over(&live, &mut subscription, &mut backlog),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !tell(&live, &mut changes, &mut backlog, &mut phases, &channel) {
            return;
        }
    }
}

/// Sends what the page has yet to be told; false when it is gone.
fn tell(
    live: &Live,
    changes: &mut Receiver<std::sync::Arc<Snapshot>>,
    backlog: &mut Backlog,
    known: &mut Vec<PhaseSpan>,
    channel: &Channel<LiveMessage>,
) -> bool {
    let changed = std::mem::take(&mut backlog.snapshot) | changes.has_changed().unwrap_or(false);
    let snapshot = changed.then(|| Snapshot::clone(&changes.borrow_and_update()));
    let phases = live.phases();
    let phases = (phases != *known).then(|| {
        known.clone_from(&phases);
        phases
    });
    let samples = std::mem::take(&mut backlog.samples);
    if snapshot.is_none() && samples.is_empty() && phases.is_none() {
        return true;
    }
    channel.send(LiveMessage { snapshot, samples, phases, now_ns: live.now().0 }).is_ok()
}

fn start_over(live: &Live, subscription: &mut Subscription, backlog: &mut Backlog) {
    *subscription = live.subscribe();
    backlog.start_over(std::mem::take(&mut subscription.recent));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(end_ns: i64) -> LiveSample {
        LiveSample {
            start_ns: end_ns - 1,
            end_ns,
            soc_mw: None,
            cpu_mw: None,
            gpu_mw: None,
            ane_mw: None,
            dram_mw: None,
            system_mw: None,
        }
    }

    fn ends(backlog: &Backlog) -> Vec<i64> {
        backlog.samples.iter().map(|sample| sample.end_ns).collect()
    }

    #[test]
    fn a_sample_of_the_first_minute_is_not_sent_again() {
        let mut backlog = Backlog::default();
        backlog.start_over(vec![sample(10), sample(20)]);
        backlog.samples.clear();
        backlog.add(sample(20));
        backlog.add(sample(30));
        assert_eq!(ends(&backlog), [30]);
    }

    #[test]
    fn a_fresh_minute_takes_the_place_of_what_was_missed() {
        let mut backlog = Backlog::default();
        backlog.add(sample(10));
        backlog.start_over(vec![sample(40), sample(50)]);
        backlog.add(sample(60));
        assert_eq!(ends(&backlog), [40, 50, 60]);
        backlog.start_over(Vec::new());
        backlog.add(sample(60));
        assert_eq!(ends(&backlog), [0_i64; 0]);
    }

    #[tokio::test]
    async fn a_change_that_comes_with_a_sample_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let live = crate::commands::testing::live(folder.path());
        let mut changes = live.changes();
        let (sender, sent) = std::sync::mpsc::channel();
        let channel = Channel::new(move |body| {
            let tauri::ipc::InvokeResponseBody::Json(text) = body else { unreachable!("messages are JSON") };
            sender.send(serde_json::from_str::<serde_json::Value>(&text)?).unwrap();
            Ok(())
        });
        // the receiver has seen the change; the backlog still owes it
        changes.mark_unchanged();
        let mut backlog = Backlog { snapshot: true, ..Backlog::default() };
        backlog.add(sample(10));
        let mut phases = Vec::new();
        assert!(tell(&live, &mut changes, &mut backlog, &mut phases, &channel));
        let message = sent.recv().unwrap();
        assert!(message["snapshot"].is_object() && message["samples"].as_array().unwrap().len() == 1, "{message}");
        changes.mark_unchanged();
        assert!(tell(&live, &mut changes, &mut backlog, &mut phases, &channel));
        assert!(sent.try_recv().is_err(), "nothing new was told");
    }
}
