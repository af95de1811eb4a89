//! The system's clipboard, for text alone: what could also copy pictures would bring more than a megabyte of decoders.

use std::sync::{Mutex, PoisonError};

use arboard::{Clipboard, Error};

/// The clipboard, opened when something is first copied. On X11 whoever copied must stay to hand the text out, so it is kept
/// until the app ends.
#[derive(Default)]
pub struct TextClipboard(Mutex<Option<Clipboard>>);

impl TextClipboard {
    /// Puts text on the clipboard.
    ///
    /// # Errors
    /// When there is no clipboard, or another program holds it.
    pub fn write(&self, text: String) -> Result<(), Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_mut() {
            Some(clipboard) => clipboard.set_text(text),
            None => kept.insert(Clipboard::new()?).set_text(text),
        }
    }

    /// Lets go of the clipboard, which hands its text to the desktop's own keeper where there is one. Due before the end.
    pub fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
