# Sourced by the other scripts: where things are, and how to get what is missing.
# Everything fetched lands in the cache; only Debian packages that a script cannot do without are installed for good.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${JOULEBAR_CACHE:-$HOME/.cache/joulebar}
scripts=$root/scripts

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }
step() { printf '\n== %s\n' "$*" >&2; }

# Installs Debian packages that are not there yet. On other systems it says what to install.
need_packages() {
    command -v apt-get >/dev/null || fail "install these and try again: $*"
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    local sudo=()
    [[ $(id -u) == 0 ]] || sudo=(sudo)
    say "installing ${missing[*]}"
    ${sudo[@]+"${sudo[@]}"} apt-get update -qq >/dev/null
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The toolchain of rust-toolchain.toml, through rustup.
need_rust() {
    [[ -d $HOME/.cargo/bin ]] && case :$PATH: in *:$HOME/.cargo/bin:*) ;; *) PATH=$HOME/.cargo/bin:$PATH ;; esac
    command -v cargo >/dev/null || fail "cargo is missing. Install rustup (https://rustup.rs) and try again."
    cd "$root"
    if ! cargo --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
        command -v rustup >/dev/null || fail "this cargo is not rustup's; install Rust $(rust_channel) with clippy and rustfmt"
        say "installing Rust $(rust_channel)"
        rustup toolchain install "$(rust_channel)" --profile minimal --no-self-update --component clippy --component rustfmt >&2
    fi
}

rust_channel() { sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml"; }

# check_helper_size FILE: what runs as root is small enough to be looked through.
check_helper_size() {
    local bytes
    bytes=$(wc -c <"$1")
    [[ $bytes -lt 1000000 ]] || fail "the helper has $bytes bytes; less than 1000000 are allowed"
    say "the helper has $bytes bytes"
}

# A Python that can make virtual environments.
need_python() {
    python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3 python3-venv
}

# python_env NAME REQUIREMENTS: makes a virtual environment in the cache from a file of pinned hashes, once for each
# content of that file, and prints its directory. Built beside its place and moved there, so that a half-made one is
# never used and two runs at a time don't meet.
python_env() {
    local name=$1 requirements=$2 sum dir building
    need_python
    sum=$(python3 -c 'import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],"rb").read()+sys.version.encode()).hexdigest()[:12])' "$requirements")
    dir=$cache/$name-$sum
    if [[ ! -d $dir ]]; then
        mkdir -p "$cache"
        building=$(mktemp -d "$cache/$name.XXXXXX")
        say "installing $(basename "$requirements" .txt) into $dir"
        python3 -m venv "$building" >&2 \
            && "$building/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --only-binary :all: \
                --require-hashes --requirement "$requirements" >&2 \
            || { rm -rf "$building"; return 1; }
        mv -T "$building" "$dir" 2>/dev/null || { [[ -d $dir ]] || mv "$building" "$dir"; }
        rm -rf "$building"
    fi
    printf '%s\n' "$dir"
}

# What the app and its screens are built with, beside Rust: web view and tray libraries on Debian, Node and npm.
need_app() {
    if [[ $(uname) == Linux ]]; then
        need_packages build-essential pkg-config libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev \
            libxdo-dev libssl-dev
    fi
    command -v npm >/dev/null || need_packages nodejs npm
    local version
    version=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [[ $version -ge 20 ]] || fail "Node $version is too old for the screens; install Node 20 or newer"
}

# What a private desktop is made of; prints the Python environment that drives it. Linux only.
need_desktop() {
    need_packages xvfb xauth dbus dbus-daemon webkit2gtk-driver fonts-inter >&2
    python_env desktop "$scripts/python/desktop.txt"
}

# The screens' packages, as the lock file has them.
need_screens() {
    need_app
    local lock=$root/ui/package-lock.json stamp=$root/ui/node_modules/.joulebar-lock
    if ! cmp -s "$lock" "$stamp"; then
        say "installing the screens' packages"
        (cd "$root/ui" && npm ci --no-audit --no-fund --loglevel=error >&2)
        cp "$lock" "$stamp"
    fi
}

# The built screens in ui/dist, which the app carries.
build_screens() {
    need_screens
    (cd "$root/ui" && npm run --silent build -- --logLevel warn >&2)
}
