//! The command line. Few words: the app is started by a click.

use std::path::PathBuf;

use joulebar_core::live::Mode;

/// What `--help` prints.
pub const HELP: &str = "\
Joulebar in the menu bar.

Usage: joulebar-app [OPTIONS]

Options:
  --demo             simulate power and server; no figure is a measurement
  --demo-power       simulate power only, beside the server of the settings
  --window           open the window at the start
  --popover          open the popover at the start
  --export-to DIR    exports go into this folder, without asking where
  --version          print the version
  --help             print this help
";

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// What stands in for the Mac.
    pub mode: Mode,
    /// The window opens at once.
    pub window: bool,
    /// The popover opens at once.
    pub popover: bool,
    /// Where exports go without a question.
    pub export_to: Option<PathBuf>,
    /// Only the version is asked for.
    pub version: bool,
    /// Only the help is asked for.
    pub help: bool,
}

/// Reads the words after the program's name.
///
/// # Errors
/// Names the word that is not understood.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--demo" => arguments.mode = Mode::Demo,
            "--demo-power" => arguments.mode = Mode::DemoPower,
            "--window" => arguments.window = true,
            "--popover" => arguments.popover = true,
            "--export-to" => {
                let folder = words.next().ok_or("--export-to needs a folder")?;
                arguments.export_to = Some(folder.into());
            }
            "--version" | "-V" => arguments.version = true,
            "--help" | "-h" => arguments.help = true,
            // macOS names the process of an app that was started by hand
            word if word.starts_with("-psn_") => {}
            word => return Err(format!("unknown option {word}; see joulebar-app --help")),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_unknown_ones_are_named() {
        let arguments = read("--demo --window --export-to out").unwrap();
        assert_eq!(arguments.mode, Mode::Demo);
        assert!(arguments.window && !arguments.popover);
        assert_eq!(arguments.export_to, Some("out".into()));
        assert_eq!(read("-psn_0_1"), Ok(Arguments::default()));
        assert!(read("--dmeo").unwrap_err().contains("--dmeo"));
        assert!(read("--export-to").is_err());
    }
}
