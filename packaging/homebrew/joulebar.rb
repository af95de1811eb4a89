# The cask of a notarised release. Words in @ are filled in by scripts/macos/cask.sh, which the release workflow calls; the
# finished file is attached to the release. Until there is one, install from a checkout: docs/install.md.
cask "joulebar" do
  version "@VERSION@"
  sha256 "@SHA256@"

  url "https://github.com/@REPOSITORY@/releases/download/v#{version}/Joulebar-#{version}.dmg"
  name "Joulebar"
  desc "Measures what a token of a local language model costs in joules"
  homepage "https://github.com/@REPOSITORY@"

  depends_on macos: ">= :ventura"
  depends_on arch: :arm64

  app "Joulebar.app"
  binary "#{appdir}/Joulebar.app/Contents/MacOS/joulebar"

  # no launchctl: an upgrade would take the helper's registration away too
  uninstall quit: "org.joulebar.app"

  zap trash: [
    "~/Library/Application Support/Joulebar",
    "~/Library/Caches/org.joulebar.app",
    "~/Library/Preferences/org.joulebar.app.plist",
    "~/Library/Saved Application State/org.joulebar.app.savedState",
    "~/Library/WebKit/org.joulebar.app",
  ]

  caveats <<~EOS
    Before you uninstall Joulebar, choose Remove in its Settings, Helper, so that macOS forgets the helper.
    If it is gone already, its switch stays in System Settings, General, Login Items & Extensions, without effect.
    A token of LM Studio stays in the keychain:
      security delete-generic-password -s Joulebar
  EOS
end
