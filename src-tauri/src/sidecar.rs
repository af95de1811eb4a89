//! Starts the helper as a sidecar by the shell plugin: the simulated one for the demo, and for development one that needs no
//! root. From Rust alone; no page has a permission of the plugin.
//!
//! The program lies beside the running one or a folder above, where `joulebar_core::programs` has found it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use joulebar_core::power::piped::{Launcher, PipeEvent, Pipes};
use tauri::{AppHandle, Runtime};
use tauri_plugin_shell::ShellExt;
use tauri_plugin_shell::process::{CommandChild, CommandEvent};
use tokio::sync::mpsc;

/// Events that wait. The plugin holds one more, then the pipe fills, and the helper drops samples and counts them.
const WAITING_EVENTS: usize = 4;

/// Starts helpers by the plugin, which must have been set up.
pub fn launcher<R: Runtime>(app: &AppHandle<R>) -> Launcher {
    let app = app.clone();
    Launcher::new(move |program, arguments| start(&app, program, arguments))
}

fn start<R: Runtime>(app: &AppHandle<R>, program: &Path, arguments: &[OsString]) -> io::Result<Pipes> {
    let command = app.shell().command(program).args(arguments).set_raw_out(true).set_process_group(true);
    let (mut from, child) = command.spawn().map_err(io::Error::other)?;
    let (sender, events) = mpsc::channel(WAITING_EVENTS);
    tauri::async_runtime::spawn(async move {
        while let Some(event) = from.recv().await {
            let event = match event {
                CommandEvent::Stdout(bytes) => PipeEvent::Output(bytes),
                CommandEvent::Stderr(bytes) => PipeEvent::Words(bytes),
                CommandEvent::Error(words) => PipeEvent::Words(words.into_bytes()),
                // the last event
                _ => return,
            };
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    Ok(Pipes { input: Box::new(Input(child)), events })
}

/// The helper's standard input. Dropping it closes that; the helper ends its own child, and itself.
struct Input(CommandChild);

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn app() -> tauri::App<tauri::test::MockRuntime> {
        tauri::test::mock_builder()
            .plugin(tauri_plugin_shell::init())
            .build(tauri::test::mock_context(tauri::test::noop_assets()))
            .unwrap()
    }

    #[tokio::test]
    async fn what_is_written_reaches_the_program_and_closing_its_input_ends_it() {
        let app = app();
        let arguments = ["-c".into(), "cat; echo gone >&2".into()];
        let Pipes { mut input, mut events } = start(app.handle(), Path::new("/bin/sh"), &arguments).unwrap();
        input.write_all(b"\0\x01\xff\n\r").unwrap();
        let mut output = Vec::new();
        while output.len() < 5 {
            match events.recv().await.unwrap() {
                PipeEvent::Output(bytes) => output.extend(bytes),
                PipeEvent::Words(words) => panic!("{words:?}"),
            }
        }
        assert_eq!(output, b"\0\x01\xff\n\r", "bytes come as they are");
        drop(input);
        let rest = async {
            let mut words = Vec::new();
            while let Some(event) = events.recv().await {
                if let PipeEvent::Words(bytes) = event {
                    words.extend(bytes);
                }
            }
            words
        };
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), rest).await.unwrap(), b"gone\n");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        assert!(start(app().handle(), Path::new("/no/such/helper"), &[]).is_err());
    }
}
