//! What the bundle should be: its names and its version, from the same constants as the programs themselves.

use joulebar_wire::identity;

/// The app's own property list.
pub const INFO: &str = "Contents/Info.plist";
/// The icon.
pub const ICON: &str = "Contents/Resources/icon.icns";
/// The seal over the bundle's files.
pub const SEAL: &str = "Contents/_CodeSignature/CodeResources";

/// Names and version of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Bundle identifier of the app.
    pub app_id: String,
    /// Identifier, file name, launchd label and Mach service of the helper.
    pub helper_id: String,
    /// Identifier of the terminal program.
    pub cli_id: String,
    /// Version, such as `0.1.0`.
    pub version: String,
    /// Apple's ten characters for the team that signed it; `None` for an ad-hoc build.
    pub team: Option<String>,
    /// Whether it is signed with a Developer ID.
    pub released: bool,
    /// What stands in the helper to tell it who its clients are: a requirement, or the file that holds it.
    pub client_requirement: String,
    /// What stands in the app to tell it who its helper is: a requirement, or the file that holds it.
    pub helper_requirement: String,
}

impl Expected {
    /// What this build of the tool was compiled to be.
    #[must_use]
    pub fn of_this_build() -> Self {
        Self {
            app_id: identity::APP_ID.into(),
            helper_id: identity::HELPER_ID.into(),
            cli_id: identity::CLI_ID.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            team: identity::TEAM_ID.map(Into::into),
            released: identity::IS_RELEASED,
            client_requirement: identity::CLIENT_REQUIREMENT.unwrap_or(identity::CLIENT_REQUIREMENT_FILE).into(),
            helper_requirement: identity::HELPER_REQUIREMENT.unwrap_or(identity::HELPER_REQUIREMENT_FILE).into(),
        }
    }

    /// The app's program.
    #[must_use]
    pub fn app(&self) -> String {
        "Contents/MacOS/joulebar-app".into()
    }

    /// The helper.
    #[must_use]
    pub fn helper(&self) -> String {
        format!("Contents/MacOS/{}", self.helper_id)
    }

    /// The terminal program.
    #[must_use]
    pub fn cli(&self) -> String {
        "Contents/MacOS/joulebar".into()
    }

    /// What tells launchd about the helper.
    #[must_use]
    pub fn launchd(&self) -> String {
        format!("Contents/Library/LaunchDaemons/{}.plist", self.helper_id)
    }

    /// The programs.
    #[must_use]
    pub fn programs(&self) -> Vec<String> {
        vec![self.app(), self.helper(), self.cli()]
    }

    /// Every file of the bundle.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let mut files = self.programs();
        files.extend([self.launchd(), INFO.into(), ICON.into(), SEAL.into()]);
        files
    }
}
