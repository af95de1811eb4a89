//! Who is who: the names of app and helper, and the code-signing requirements by which each lets in only the other.
//!
//! Everything is fixed when it is compiled. Two variables of the build decide: `JOULEBAR_TEAM_ID`, ten characters, the
//! team that signs; and `JOULEBAR_CERT_KIND`, `developer_id` (the default) or `development`. A build that is not signed
//! with a Developer ID has other names, which end in `.dev`, so that it never takes the place of a released one. A build
//! without a team has no requirement: who needs one then reads [`CLIENT_REQUIREMENT_FILE`] or [`HELPER_REQUIREMENT_FILE`],
//! or gives up. No build lets in everybody.
//!
//! Knows strings alone. Leaves to others: files, signatures, and whether macOS understands the requirement.

/// The kind of certificate that app and helper are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// Developer ID Application: what is released.
    DeveloperId,
    /// Apple Development, for who builds from source with an account of their own.
    Development,
}

impl CertificateKind {
    /// Extension that marks the certificate of Apple that signed the team's.
    #[must_use]
    pub const fn issuer_extension(self) -> &'static str {
        match self {
            Self::DeveloperId => "1.2.840.113635.100.6.2.6",
            Self::Development => "1.2.840.113635.100.6.2.1",
        }
    }

    /// Extension that marks the team's certificate.
    #[must_use]
    pub const fn leaf_extension(self) -> &'static str {
        match self {
            Self::DeveloperId => "1.2.840.113635.100.6.1.13",
            Self::Development => "1.2.840.113635.100.6.1.12",
        }
    }
}

/// Joins constant strings into one.
macro_rules! joined {
    ($($part:expr),+ $(,)?) => {{
        const PARTS: &[&str] = &[$($part),+];
        const LEN: usize = joined_len(PARTS);
        const BYTES: [u8; LEN] = joined_bytes(PARTS);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        }
    }};
}

/// What every requirement goes on with after the name: Apple's root, kind of certificate, team.
macro_rules! signed_by {
    ($team:expr, $kind:expr) => {
        joined!(
            " and anchor apple generic and certificate 1[field.",
            $kind.issuer_extension(),
            "] exists and certificate leaf[field.",
            $kind.leaf_extension(),
            "] exists and certificate leaf[subject.OU] = \"",
            $team,
            "\"",
        )
    };
}

/// Code that others can inject their own into is not who it says.
const NOT_INJECTABLE: &str = " and !(entitlement[\"com.apple.security.get-task-allow\"] exists) \
    and !(entitlement[\"com.apple.security.cs.disable-library-validation\"] exists) \
    and !(entitlement[\"com.apple.security.cs.allow-dyld-environment-variables\"] exists)";

macro_rules! client_requirement {
    ($app:expr, $cli:expr, $team:expr, $kind:expr, $min_version:expr) => {
        joined!(
            "(identifier \"",
            $app,
            "\" or identifier \"",
            $cli,
            "\")",
            signed_by!($team, $kind),
            " and info[CFBundleShortVersionString] >= \"",
            $min_version,
            "\"",
            NOT_INJECTABLE,
        )
    };
}

macro_rules! helper_requirement {
    ($identifier:expr, $team:expr, $kind:expr) => {
        joined!("identifier \"", $identifier, "\"", signed_by!($team, $kind), NOT_INJECTABLE)
    };
}

/// The team that signs this build; `None` for one that is signed by nobody (ad hoc).
pub const TEAM_ID: Option<&str> = match option_env!("JOULEBAR_TEAM_ID") {
    Some(team) if !team.is_empty() => Some(team),
    _ => None,
};

/// What it is signed with, where there is a team.
pub const CERTIFICATE_KIND: CertificateKind = match option_env!("JOULEBAR_CERT_KIND") {
    None => CertificateKind::DeveloperId,
    Some(kind) => match kind.as_bytes() {
        b"" | b"developer_id" => CertificateKind::DeveloperId,
        b"development" => CertificateKind::Development,
        _ => panic!("JOULEBAR_CERT_KIND is developer_id or development"),
    },
};

// a team that could close the quotes around it would write the requirement itself
const _: () = assert!(is_team_id(TEAM_OR_EMPTY) || TEAM_ID.is_none(), "JOULEBAR_TEAM_ID is ten capitals and digits");

const TEAM_OR_EMPTY: &str = match TEAM_ID {
    Some(team) => team,
    None => "",
};

/// True for what is released; false for every build with names of its own.
pub const IS_RELEASED: bool = TEAM_ID.is_some() && matches!(CERTIFICATE_KIND, CertificateKind::DeveloperId);

const SUFFIX: &str = if IS_RELEASED { "" } else { ".dev" };

/// Bundle identifier of the app.
pub const APP_ID: &str = joined!("org.joulebar.app", SUFFIX);

/// The helper's name as a daemon that the app registers: launchd label, Mach service, signing identifier, file name.
pub const HELPER_ID: &str = joined!("org.joulebar.app.helper", SUFFIX);

/// Signing identifier of the terminal program.
pub const CLI_ID: &str = joined!("org.joulebar.app.cli", SUFFIX);

/// The helper's name as a daemon that `joulebar helper install` has put in place: another one, since launchd refuses two
/// daemons of one name.
pub const LOCAL_HELPER_ID: &str = joined!(HELPER_ID, ".local");

/// The first version that was always built with the hardened runtime. To be raised when a version can be injected into.
pub const MIN_APP_VERSION: &str = "0.1.0";

/// Where `joulebar helper install` leaves what both requirement files are in; root's alone.
pub const SUPPORT_DIRECTORY: &str = joined!("/Library/Application Support/", APP_ID);

/// Where a helper of a build without a team finds who may talk to it.
pub const CLIENT_REQUIREMENT_FILE: &str = joined!(SUPPORT_DIRECTORY, "/client.req");

/// Where an app of a build without a team finds which helper is meant.
pub const HELPER_REQUIREMENT_FILE: &str = joined!(SUPPORT_DIRECTORY, "/helper.req");

/// Who may talk to the helper, the app and the terminal program beside it; `None` in a build without a team.
pub const CLIENT_REQUIREMENT: Option<&str> = match TEAM_ID {
    Some(_) => Some(client_requirement!(APP_ID, CLI_ID, TEAM_OR_EMPTY, CERTIFICATE_KIND, MIN_APP_VERSION)),
    None => None,
};

/// Which helper the app talks to; `None` in a build without a team.
pub const HELPER_REQUIREMENT: Option<&str> = match TEAM_ID {
    Some(_) => Some(helper_requirement!(HELPER_ID, TEAM_OR_EMPTY, CERTIFICATE_KIND)),
    None => None,
};

/// Whether a service of this name may be served by this build's helper. The local one has no signature to rely on, so a
/// build with a team leaves it alone.
#[must_use]
pub fn is_own_service(name: &str) -> bool {
    name == HELPER_ID || (TEAM_ID.is_none() && name == LOCAL_HELPER_ID)
}

const fn is_team_id(team: &str) -> bool {
    let bytes = team.as_bytes();
    let mut position = 0;
    while position < bytes.len() {
        if !bytes[position].is_ascii_uppercase() && !bytes[position].is_ascii_digit() {
            return false;
        }
        position += 1;
    }
    bytes.len() == 10
}

const fn joined_len(parts: &[&str]) -> usize {
    let (mut len, mut part) = (0, 0);
    while part < parts.len() {
        len += parts[part].len();
        part += 1;
    }
    len
}

const fn joined_bytes<const LEN: usize>(parts: &[&str]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let from = parts[part].as_bytes();
        let mut position = 0;
        while position < from.len() {
            bytes[at] = from[position];
            at += 1;
            position += 1;
        }
        part += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "ABCDE12345";

    #[test]
    fn threat_03_client_is_named_signed_by_the_team_new_enough_and_not_injectable() {
        let requirement = client_requirement!(
            "org.joulebar.app",
            "org.joulebar.app.cli",
            TEAM,
            CertificateKind::DeveloperId,
            "0.1.0"
        );
        assert_eq!(
            requirement,
            "(identifier \"org.joulebar.app\" or identifier \"org.joulebar.app.cli\") and anchor apple generic \
             and certificate 1[field.1.2.840.113635.100.6.2.6] exists \
             and certificate leaf[field.1.2.840.113635.100.6.1.13] exists \
             and certificate leaf[subject.OU] = \"ABCDE12345\" \
             and info[CFBundleShortVersionString] >= \"0.1.0\" \
             and !(entitlement[\"com.apple.security.get-task-allow\"] exists) \
             and !(entitlement[\"com.apple.security.cs.disable-library-validation\"] exists) \
             and !(entitlement[\"com.apple.security.cs.allow-dyld-environment-variables\"] exists)"
        );
    }

    #[test]
    fn threat_05_helper_is_named_and_signed_by_the_same_team() {
        let requirement = helper_requirement!("org.joulebar.app.helper.dev", TEAM, CertificateKind::Development);
        assert_eq!(
            requirement,
            "identifier \"org.joulebar.app.helper.dev\" and anchor apple generic \
             and certificate 1[field.1.2.840.113635.100.6.2.1] exists \
             and certificate leaf[field.1.2.840.113635.100.6.1.12] exists \
             and certificate leaf[subject.OU] = \"ABCDE12345\" \
             and !(entitlement[\"com.apple.security.get-task-allow\"] exists) \
             and !(entitlement[\"com.apple.security.cs.disable-library-validation\"] exists) \
             and !(entitlement[\"com.apple.security.cs.allow-dyld-environment-variables\"] exists)"
        );
    }

    #[test]
    fn threat_04_only_a_build_with_a_team_has_requirements() {
        assert_eq!(CLIENT_REQUIREMENT.is_some(), TEAM_ID.is_some());
        assert_eq!(HELPER_REQUIREMENT.is_some(), TEAM_ID.is_some());
        for requirement in [CLIENT_REQUIREMENT, HELPER_REQUIREMENT].into_iter().flatten() {
            assert!(requirement.contains(TEAM_OR_EMPTY) && requirement.contains("anchor apple generic"));
            assert!(requirement.len() < 4096 && !requirement.contains('\n'));
        }
    }

    #[test]
    fn threat_04_builds_that_are_not_released_have_names_of_their_own() {
        let names = [APP_ID, HELPER_ID, CLI_ID];
        assert!(names.iter().all(|name| name.ends_with(".dev") != IS_RELEASED), "{names:?}");
        assert_eq!(LOCAL_HELPER_ID, format!("{HELPER_ID}.local"));
        assert!(CLIENT_REQUIREMENT_FILE.starts_with("/Library/Application Support/org.joulebar.app"));
    }

    #[test]
    fn threat_04_team_cannot_close_the_quotes_around_it() {
        assert!(is_team_id("ABCDE12345") && is_team_id("0123456789"));
        for team in ["", "ABCDE1234", "ABCDE123456", "abcde12345", "A\" or true", "ABCDE 2345", "ABCDÉ1234"] {
            assert!(!is_team_id(team), "{team}");
        }
    }

    #[test]
    fn service_of_another_name_is_not_served() {
        assert!(is_own_service(HELPER_ID));
        assert_eq!(is_own_service(LOCAL_HELPER_ID), TEAM_ID.is_none());
        for name in ["", "0", APP_ID, "org.joulebar.app.helpe", "application.org.joulebar.app"] {
            assert!(!is_own_service(name), "{name}");
        }
    }
}
