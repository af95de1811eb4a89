//! `joulebar suite`: shows and checks suites of prompts, and reads them for `bench`.

use std::path::Path;

use joulebar_core::suite::{DEFAULT_SUITE, Suite};

use crate::args::{SuiteArguments, SuiteCommand};
use crate::exit::{Code, Failure};
use crate::{format, output, table};

/// Largest suite file that is read, in bytes.
const MAX_SUITE_BYTES: u64 = 16 << 20;

/// Shows or checks.
pub fn run(arguments: &SuiteArguments) -> Result<Code, Failure> {
    match &arguments.command {
        SuiteCommand::Show { file } => {
            let (text, _) = read(file.as_deref())?;
            output::line(text.trim_end())?;
        }
        SuiteCommand::Check { file } => {
            let (_, suite) = read(file.as_deref())?;
            let name = file.as_ref().map_or_else(|| "built-in".to_owned(), |file| file.display().to_string());
            let count = format::counted(suite.prompts.len() as u64, "prompt");
            output::line(&format!("ok  {name}: suite {:?} with {count}", suite.name))?;
            let rows = suite.prompts.iter().map(|prompt| {
                let words = prompt.prompt.split_whitespace().count() as u64;
                let category = prompt.category.to_string();
                [prompt.id.clone(), category, format::count(words), format::count(prompt.max_tokens.into())]
            });
            output::line(&table::layout(&["prompt", "category", "words", "max tokens"], 2, rows))?;
        }
    }
    Ok(Code::Success)
}

/// Reads and checks a suite file, or takes the built-in suite; the text comes back as it stands in the file.
pub fn read(file: Option<&Path>) -> Result<(String, Suite), Failure> {
    let Some(file) = file else { return Ok((DEFAULT_SUITE.to_owned(), Suite::builtin())) };
    let unreadable = || Failure::new(Code::BadInput, format!("the suite {} can't be read", file.display()));
    let hint = "see an example with `joulebar suite show`";
    let size = std::fs::metadata(file).map_err(|error| unreadable().because(&error).next(hint))?.len();
    if size > MAX_SUITE_BYTES {
        return Err(unreadable().because_text("it is larger than 16 MiB").next(hint));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unreadable().because(&error).next(hint))?;
    match Suite::parse(&text) {
        Ok(suite) => Ok((text, suite)),
        Err(error) => Err(Failure::new(Code::BadInput, format!("the suite {} can't be used", file.display()))
            .because(&error)
            .next(format!("correct it, then check it with `joulebar suite check {}`", file.display()))),
    }
}
