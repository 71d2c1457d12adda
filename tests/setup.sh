# shellcheck shell=bash
# Sourced by tests/run: makes sure of what the tests need, and says what is missing when it cannot.
# Every need_* may be called often, counts a failure when it fails, and then returns non-zero.

readonly POSTGRES_ROLE=roomd_test
readonly PYTHON_MIN=3.11
readonly NODE_MIN=20
# The npm package of the same name holds Node's own binary, for distributions with an older Node.
readonly NODE_FALLBACK=20.8.1

# missing WHAT HOW: a need that could not be met, with the way out.
missing() {
  say "missing: $1"
  echo "$2"
  count "$1" 0 1
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "this needs root or sudo: $*" >&2
    return 1
  fi
}

install_packages() {
  command -v apt-get >/dev/null || return 1
  echo "installing $*"
  as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >/dev/null
}

need_curl() {
  command -v curl >/dev/null && return
  install_packages curl || missing "curl" "Install curl."
}

# --- The folder of pinned clients ----------------------------------------------------------------

# A change of any pin, or of the Python that the folder is bound to, makes another folder.
env_folder() {
  cat tests/interop/requirements.txt tests/interop/package-lock.json - \
    <<<"$(python3 --version 2>&1) $NODE_FALLBACK" | sha256sum | cut -c1-12
}

need_folder() {
  if [ -z "${INTEROP_ENV:-}" ]; then
    INTEROP_ENV=$PWD/.interop/$(env_folder)
    mkdir -p "$INTEROP_ENV"
  fi
  # Proxies are for the way out; the tests stay on this machine.
  export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
  export PYTHONDONTWRITEBYTECODE=1
}

python_is_good() {
  python3 -c "import sys, venv, ensurepip
sys.exit(sys.version_info < tuple(map(int, '$PYTHON_MIN'.split('.'))))" 2>/dev/null
}

need_python() {
  if [ -n "${PYTHON:-}" ]; then return; fi
  if ! python_is_good; then install_packages python3 python3-venv; fi
  python_is_good || missing "Python" \
    "Install Python $PYTHON_MIN or newer with its venv module." || return
  need_folder
  local venv=$INTEROP_ENV/python
  if [ ! -e "$venv/ready" ]; then
    say "installing the Python clients"
    rm -rf "$venv"
    python3 -m venv "$venv" &&
      "$venv/bin/pip" install --quiet --only-binary :all: -r tests/interop/requirements.txt &&
      touch "$venv/ready" || missing "the Python clients" \
      "pip could not install tests/interop/requirements.txt; it needs the package index once." ||
      return
  fi
  PYTHON=$venv/bin/python
}

node_is_good() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$NODE_MIN" ]
}

need_node() {
  if [ -n "${NODE:-}" ]; then return; fi
  command -v npm >/dev/null || install_packages nodejs npm
  command -v npm >/dev/null || missing "npm" "Install Node $NODE_MIN or newer, with npm." || return
  need_folder
  local folder=$INTEROP_ENV/node
  if [ ! -e "$folder/ready" ]; then
    say "installing the Node clients"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp tests/interop/package.json tests/interop/package-lock.json tests/interop/.npmrc "$folder"
    install_node_clients "$folder" && touch "$folder/ready" || missing "the Node clients" \
      "npm could not install tests/interop/package.json; it needs the package index once." ||
      return
  fi
  NODE=node
  if ! node_is_good node; then NODE=$(echo "$folder"/newer/node_modules/node-linux-*/bin/node); fi
  # The binary itself: the package's launcher starts a Node for every call.
  BUF=$(echo "$folder"/node_modules/@bufbuild/buf-linux-*/bin/buf)
  if [ ! -x "$BUF" ]; then BUF=$folder/node_modules/.bin/buf; fi
}

# Install scripts are not needed, and not run.
install_node_clients() {
  (
    cd "$1" || exit 1
    npm ci --ignore-scripts --no-audit --no-fund --silent || exit 1
    if ! node_is_good node; then
      local machine=x64
      if [ "$(uname -m)" = aarch64 ]; then machine=arm64; fi
      npm install --prefix newer --ignore-scripts --no-audit --no-fund --silent \
        "node-linux-$machine@$NODE_FALLBACK"
    fi
  )
}

# --- The browser ---------------------------------------------------------------------------------

# Exports CHROMIUM, the browser that the page under test is opened in: the system's own, else
# Debian's package, else the build that playwright downloads for itself.
need_browser() {
  if [ -n "${CHROMIUM:-}" ]; then return; fi
  need_node || return
  find_browser || { install_packages chromium && find_browser; } || download_browser ||
    missing "Chromium" "Install Chromium, or name its binary in CHROMIUM." || return
  export CHROMIUM
}

# A name alone does not count: on some systems it is a stub that asks for another installer.
find_browser() {
  local name
  for name in chromium chromium-browser google-chrome-stable google-chrome; do
    CHROMIUM=$(command -v "$name") && "$CHROMIUM" --version >/dev/null 2>&1 && return
  done
  CHROMIUM=
  return 1
}

download_browser() {
  local folder=$INTEROP_ENV/node
  PLAYWRIGHT_BROWSERS_PATH=$folder/browser "$NODE" \
    "$folder/node_modules/playwright-core/cli.js" install --only-shell chromium || return
  CHROMIUM=$(find "$folder/browser" -type f -perm -u+x -name '*headless*shell' | head -1)
  [ -n "$CHROMIUM" ]
}

# --- PostgreSQL ----------------------------------------------------------------------------------

# Exports ROOMD_TEST_POSTGRES_URL: a server, and a role that may create databases.
need_postgres() {
  if [ -n "${POSTGRES_READY:-}" ]; then return; fi
  need_python || return
  if [ -n "${ROOMD_TEST_POSTGRES_URL:-}" ]; then
    postgres_answers "$ROOMD_TEST_POSTGRES_URL" || missing "PostgreSQL" \
      "ROOMD_TEST_POSTGRES_URL is set, and that server cannot be used." || return
  else
    local url=postgres://$POSTGRES_ROLE:$POSTGRES_ROLE@127.0.0.1
    if postgres_answers "$url:5432/$POSTGRES_ROLE" 2>/dev/null; then
      ROOMD_TEST_POSTGRES_URL=$url:5432/$POSTGRES_ROLE
    else
      say "PostgreSQL"
      start_postgres && make_role && ROOMD_TEST_POSTGRES_URL=$url:$postgres_port/$POSTGRES_ROLE &&
        postgres_answers "$ROOMD_TEST_POSTGRES_URL" || missing "PostgreSQL" \
        "Start PostgreSQL, or name one in ROOMD_TEST_POSTGRES_URL." || return
    fi
  fi
  export ROOMD_TEST_POSTGRES_URL
  POSTGRES_READY=1
}

postgres_answers() { "$PYTHON" tests/interop/postgres.py "$1"; }

# Debian's clusters: uses the first that runs, starts the first otherwise.
start_postgres() {
  command -v pg_lsclusters >/dev/null || install_packages postgresql || return
  local version name port status rest
  if [ -z "$(pg_lsclusters -h)" ]; then
    version=$(basename -a /usr/lib/postgresql/* | sort -n | tail -1)
    as_root pg_createcluster "$version" main || return
  fi
  while read -r version name port status rest; do
    if [[ $status == online* ]]; then
      postgres_port=$port
      return
    fi
  done < <(pg_lsclusters -h)
  read -r version name port status rest < <(pg_lsclusters -h)
  echo "starting PostgreSQL $version on port $port"
  as_root pg_ctlcluster "$version" "$name" start || return
  postgres_port=$port
}

as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else sudo -u postgres "$@"; fi
}

# The role owns its databases and may create more; it is no superuser.
make_role() {
  as_postgres psql -p "$postgres_port" -d postgres -qAt \
    -v ON_ERROR_STOP=1 -v role="$POSTGRES_ROLE" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN CREATEDB PASSWORD %L', :'role', :'role')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'role', :'role')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'role') \gexec
SQL
}
