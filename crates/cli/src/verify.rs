//! `joulebar verify` and the schema: does a report follow from its own raw samples and marks?

use std::path::Path;

use joulebar_core::report::{self, Difference, Report, VerifyError};
use serde_json::Value;

use crate::args::VerifyArguments;
use crate::exit::{Code, Failure};
use crate::{format, output};

/// Differences that are shown of one report.
const SHOWN: usize = 20;

/// Checks every report.
pub fn run(arguments: &VerifyArguments) -> Result<Code, Failure> {
    let mut code = Code::Success;
    for path in &arguments.reports {
        let (report, json) = match report::read_report(path) {
            Ok(read) => read,
            Err(error) => {
                code = Code::BadInput;
                Failure::of(code, &error).next("give a report that `joulebar bench` wrote").report();
                continue;
            }
        };
        match report::verify(&report, &json) {
            Ok(()) => output::line(&format!("ok      {}: {}", path.display(), describe(&report)))?,
            Err(error) => {
                code = Code::BadInput;
                print_broken(path, &error)?;
            }
        }
    }
    Ok(code)
}

fn describe(report: &Report) -> String {
    let count = |number: usize, what| format::counted(number as u64, what);
    let mut facts = vec![count(report.prompts.len(), "prompt"), count(report.samples.len(), "sample")];
    facts.extend(report.simulated.then(|| "simulated".to_owned()));
    facts.extend(report.interrupted.then(|| "interrupted".to_owned()));
    format!("every figure recomputed, checksum matches ({})", facts.join(", "))
}

fn print_broken(path: &Path, error: &VerifyError) -> Result<(), Failure> {
    match error {
        VerifyError::Checksum { .. } => output::line(&format!(
            "broken  {}: checksum differs. The file was changed after the run. ({error})",
            path.display()
        )),
        VerifyError::Values(differences) => {
            output::line(&format!("broken  {}: {error}", path.display()))?;
            for difference in differences.iter().take(SHOWN) {
                output::line(&format!("        {}", show(difference)))?;
            }
            match differences.len().saturating_sub(SHOWN) {
                0 => Ok(()),
                more => output::line(&format!("        and {more} more")),
            }
        }
    }
}

fn show(difference: &Difference) -> String {
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), shorten);
    format!("{}: found {}, expected {}", difference.pointer, shown(&difference.found), shown(&difference.expected))
}

fn shorten(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    format!("{}…", text.chars().take(LONGEST).collect::<String>())
}

/// Prints the JSON Schema of reports, which docs/report.schema.json is a copy of.
pub fn print_schema() -> Result<Code, Failure> {
    let schema = schemars::schema_for!(Report);
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::of(Code::Failed, &error))?;
    output::json_text(&text)?;
    Ok(Code::Success)
}
