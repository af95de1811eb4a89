//! Prints the types that cross to the screens as one TypeScript file, for `make bindings`.
#![expect(clippy::print_stdout, reason = "printing is its whole purpose")]

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};

use joulebar_core::doctor::CheckRow;
use joulebar_core::helper_service::machine::Wish;
use joulebar_core::live::state::{LiveMessage, RunStatus, Snapshot};
use joulebar_core::live::{ConnectionTest, Failure, HelperView};
use joulebar_core::report::Report;
use joulebar_core::settings::{SettingsView, UserSettings};
use joulebar_core::store::{RunDetail, RunList, RunQuery};
use joulebar_core::suite::Suite;
use joulebar_core::suite_library::SuiteEntry;
use ts_rs::{Config, TS, TypeVisitor};

/// Collects types with all that they are made of, by name.
struct Types {
    config: Config,
    seen: HashSet<TypeId>,
    declared: BTreeMap<String, String>,
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            let declaration = format!("{docs}export {}\n", T::decl(&self.config));
            self.declared.insert(T::ident(&self.config), tidy(&declaration));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// The same declaration with short comments on one line, members indented and no white space at line ends.
fn tidy(declaration: &str) -> String {
    let text = declaration.replace("/**\n * ", "/** ").replace("\n */\n", " */\n").replace(", };", ",\n};");
    let (mut tidied, mut inside) = (String::new(), false);
    for line in text.lines().map(str::trim_end) {
        inside = inside && line != "};";
        if inside {
            tidied.push_str("  ");
        }
        tidied.push_str(line);
        tidied.push('\n');
        inside = inside || line.ends_with('{');
    }
    tidied
}

fn main() {
    // every count and instant of a session is below 2^53
    let config = Config::new().with_large_int("number");
    let mut types = Types { config, seen: HashSet::new(), declared: BTreeMap::new() };
    types.visit::<LiveMessage>();
    types.visit::<Snapshot>();
    types.visit::<RunStatus>();
    types.visit::<Failure>();
    types.visit::<ConnectionTest>();
    types.visit::<HelperView>();
    types.visit::<Wish>();
    types.visit::<Report>();
    types.visit::<RunQuery>();
    types.visit::<RunList>();
    types.visit::<RunDetail>();
    types.visit::<Suite>();
    types.visit::<SuiteEntry>();
    types.visit::<UserSettings>();
    types.visit::<SettingsView>();
    types.visit::<CheckRow>();
    println!("// Generated from the Rust types by `make bindings`. Do not edit.\n");
    println!("// null is missing, never 0. Units stand at the end of the names.\n");
    let declarations: Vec<&str> = types.declared.values().map(String::as_str).collect();
    print!("{}", declarations.join("\n"));
}
