//! From where macOS takes a service: an app under /Applications that was not moved out of the way.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where the app's bundle lies, as far as it matters for registering a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Under /Applications.
    Applications,
    /// macOS runs a copy elsewhere, because the app was started where it was downloaded to.
    Translocated,
    /// A bundle in another folder.
    Elsewhere(PathBuf),
    /// The program runs outside of any bundle.
    NoBundle,
}

impl Place {
    /// Where the program at `program` lies. Looks at the path alone, so it must be absolute and without links.
    #[must_use]
    pub fn of(program: &Path) -> Self {
        let Some(bundle) = bundle_of(program) else { return Self::NoBundle };
        if bundle.components().any(|part| part.as_os_str() == "AppTranslocation") {
            Self::Translocated
        } else if bundle.starts_with("/Applications") {
            Self::Applications
        } else {
            Self::Elsewhere(bundle.to_path_buf())
        }
    }

    /// Whether a service can be registered from here.
    #[must_use]
    pub fn can_register(&self) -> bool {
        *self == Self::Applications
    }
}

/// The bundle of a program in `NAME.app/Contents/MacOS`; `None` for one that lies in none.
#[must_use]
pub fn bundle_of(program: &Path) -> Option<&Path> {
    let folder = program.parent().filter(|folder| folder.ends_with("Contents/MacOS"))?;
    folder.ancestors().nth(2).filter(|bundle| bundle.extension().is_some_and(|extension| extension == "app"))
}

/// The file that describes the service `label` inside the bundle of `program`.
#[must_use]
pub fn service_file(program: &Path, label: &str) -> Option<PathBuf> {
    Some(bundle_of(program)?.join("Contents/Library/LaunchDaemons").join(format!("{label}.plist")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Place {
        Place::of(Path::new(path))
    }

    #[test]
    fn only_a_bundle_under_applications_can_register() {
        let good = of("/Applications/Joulebar.app/Contents/MacOS/joulebar-app");
        assert!(good == Place::Applications && good.can_register());
        assert!(of("/Applications/Tools/Joulebar.app/Contents/MacOS/joulebar-app").can_register());
        let bad = [
            (
                "/Users/a/Downloads/Joulebar.app/Contents/MacOS/x",
                Place::Elsewhere("/Users/a/Downloads/Joulebar.app".into()),
            ),
            ("/Users/a/Applications/J.app/Contents/MacOS/x", Place::Elsewhere("/Users/a/Applications/J.app".into())),
            ("/private/var/folders/a/T/AppTranslocation/1-2/d/Joulebar.app/Contents/MacOS/x", Place::Translocated),
            ("/opt/joulebar/joulebar-app", Place::NoBundle),
            ("/Applications/joulebar-app", Place::NoBundle),
            ("/Applications/Joulebar/Contents/MacOS/x", Place::NoBundle),
            ("/Applications/Joulebar.app/Contents/Resources/x", Place::NoBundle),
            ("/", Place::NoBundle),
        ];
        for (path, place) in bad {
            let found = of(path);
            assert!(!found.can_register(), "{path}");
            assert_eq!(found, place, "{path}");
        }
    }

    #[test]
    fn the_service_file_lies_where_macos_looks_for_it() {
        let program = Path::new("/Applications/Joulebar.app/Contents/MacOS/joulebar-app");
        assert_eq!(
            service_file(program, "a.b.helper").unwrap(),
            Path::new("/Applications/Joulebar.app/Contents/Library/LaunchDaemons/a.b.helper.plist")
        );
        assert_eq!(service_file(Path::new("/usr/bin/joulebar"), "a"), None);
    }
}
